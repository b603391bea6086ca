/** What a call under a key was answered with. */
export interface KeptResponse {
  readonly status: number;
  /** Flat list: name, value, … */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** A call that its client has given a key. */
export interface KeyedCall {
  /** Within which keys are told apart: the function, and who calls. */
  readonly scope: string;
  readonly key: string;
  /** Digest of what must be the same under the same key. */
  readonly fingerprint: string;
  /** The invocation's id, if this call is the first one. */
  readonly id: string;
  /** When hob dies while it is made, it is not made again. */
  readonly isOnce: boolean;
}

/** What the first call under a key has come to. */
export interface KeyClaim {
  /** The invocation's id of the first call. */
  readonly id: string;
  /** Undefined until it has ended. */
  readonly response: KeptResponse | undefined;
  /** This call is the first one: it is to be made, then `settle` or `release` is called. */
  readonly isFirst: boolean;
  /**
   * The first call had `isOnce`, has no answer, and nobody makes it any more: it is to be settled, under its id, with what everybody is to
   * be told of that.
   */
  readonly isCut?: true;
}

/** Answers of calls by their keys. Every method throws ERR_QUEUE_UNAVAILABLE when Redis does not answer. */
export interface IdempotencyKeys {
  /**
   * Takes a key for a call. While the call is made the key is held; when hob dies meanwhile, it is free again after a while, as nothing
   * was answered; for a call that has `isOnce` it stays taken.
   *
   * @throws ERR_IDEMPOTENCY_KEY_REUSED when the key was taken by a call of another fingerprint.
   */
  claim(call: KeyedCall): Promise<KeyClaim>;
  /**
   * Keeps the answer of the first call for the key's window. While Redis does not answer it is tried again and again, and the key is held:
   * nobody was answered, and the next request with the key gets what is kept by then.
   *
   * @returns what each request with the key is to be answered with: another answer, when the key was not held long enough and another call
   *   was answered first.
   * @throws ERR_IDEMPOTENCY_IN_PROGRESS, ERR_IDEMPOTENCY_KEY_REUSED when another call holds the key by now; this one's answer is for nobody.
   */
  settle(call: KeyedCall, response: KeptResponse): Promise<KeptResponse>;
  /** Frees the key: nothing was done. */
  release(call: KeyedCall): Promise<void>;
}
