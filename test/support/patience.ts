/**
 * How much longer than usual things may take before a test gives up. It bounds failures; nothing is measured by it. In a guest
 * kernel the processor is emulated.
 */
export const patience = process.env['HOB_TEST_GUEST'] === undefined ? 1 : 8;

/** How long the runtime may take to boot, and a container to be parked, ms. */
export const startTimeoutMs = 30_000 * patience;
