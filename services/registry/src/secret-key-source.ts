/** Where the key of the secrets is kept, and how another one takes its place. */
export interface SecretKeySource {
  /** What messages call it. */
  readonly name: string;
  /**
   * The key in use first, then others that may be it: a rotation was cut off, or Redis has lost one. Empty when no key was ever made.
   * SECRET_KEY_BYTES each.
   */
  readonly keys: readonly Buffer[];
  /** A key from outside that secrets may still be encrypted with: then all of them are encrypted anew at the start. */
  readonly former: Buffer | undefined;
  /**
   * A key that is to take the place of the one in use, kept where a crash does not lose it. The same one until it is in use: a command
   * that was cut off may have encrypted everything with it.
   *
   * @throws ERR_SECRET_KEY_GIVEN when the key is given from outside; what the file system gives.
   */
  next(): Promise<Buffer>;
  /** Makes one of `keys`, which everything in Redis is encrypted with, the key in use. The one before it is kept. Can be done again. */
  use(key: Buffer): Promise<void>;
  /** Removes the key before the one in use: a start has shown that Redis has not lost the rotation. */
  forget(): Promise<void>;
}
