/** What asked a server to stop. */
export type StopReason = { readonly signal: NodeJS.Signals } | { readonly error: unknown };

/**
 * Within this time a further signal is the same one: a Ctrl-C reaches a process from the terminal, and once more from
 * each of npx and the launcher, which pass it on.
 */
const SAME_SIGNAL_MS = 1000;

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
const errors = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Waits for whatever ends a server: a signal, or an error that nobody caught. The first is the reason to stop in order;
 * a second one, or an error while stopping, cuts.
 */
export class StopSignal implements Disposable {
  /** Resolved by the first reason. */
  readonly asked: Promise<StopReason>;
  readonly #asked = Promise.withResolvers<StopReason>();
  readonly #source: NodeJS.EventEmitter;
  readonly #cut: (reason: StopReason) => void;
  readonly #nowMs: () => number;
  #firstMs: number | undefined;

  /**
   * @param source the process, or what stands for it in a test.
   * @param cut must end the process at once.
   */
  constructor(source: NodeJS.EventEmitter, cut: (reason: StopReason) => void, nowMs = () => performance.now()) {
    this.#source = source;
    this.#cut = cut;
    this.#nowMs = nowMs;
    this.asked = this.#asked.promise;
    for (const name of signals) source.on(name, this.#onSignal);
    for (const name of errors) source.on(name, this.#onError);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = this.#nowMs();
    if (this.#firstMs === undefined) this.#ask({ signal }, nowMs);
    else if (nowMs - this.#firstMs > SAME_SIGNAL_MS) this.#cut({ signal });
  };

  readonly #onError = (error: unknown): void => {
    if (this.#firstMs === undefined) this.#ask({ error }, this.#nowMs());
    else this.#cut({ error });
  };

  #ask(reason: StopReason, nowMs: number): void {
    this.#firstMs = nowMs;
    this.#asked.resolve(reason);
  }

  [Symbol.dispose](): void {
    for (const name of signals) this.#source.off(name, this.#onSignal);
    for (const name of errors) this.#source.off(name, this.#onError);
  }
}
