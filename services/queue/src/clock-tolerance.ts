/**
 * A time that lies no further ahead than this, ms, may be the present of another host. One that lies further ahead, and is not to come,
 * is from before the clock was set back.
 */
export const CLOCKS_DIFFER_MS = 5000;
