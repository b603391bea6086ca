import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { clientOptions } from './client-options.ts';
import { type Failures, silentMsMax, tellFailures } from './client-watch.ts';
import { Heartbeat } from './heartbeat.ts';
import { isElsewhere, isGone } from './moved-keys.ts';
import type { RedisTarget } from './redis-target.ts';

/** How long a command's answer may take, ms. */
const COMMAND_MS_MAX = 5_000;
/** How long a server may be silent before it counts as away, ms. */
const ANSWER_MS_MAX = 2_000;
/** For how long commands go after their keys, ms. */
const FOLLOW_MS_MAX = 3_000;
/** Pause between attempts at keys that come and go, ms. */
const FOLLOW_PAUSE_MS = 50;

/**
 * For callers who wait for an answer: every command fails at once while there is no connection, and none is sent twice but by
 * `follow`.
 */
export class RequestClient extends Redis {
  readonly #failures: Failures;
  readonly #heartbeat: Heartbeat;
  /** Commands wait for the connection until then, as it is only being made to another server. */
  #followEndMs = 0;

  /** @param name what the log and the server call the connection. */
  constructor(target: RedisTarget, name: string, log: Logger) {
    super(
      clientOptions(target, {
        connectionName: `hob-${name}`,
        enableOfflineQueue: false,
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
        commandTimeout: COMMAND_MS_MAX,
        reconnectOnError: (error) => {
          if (!isGone(error)) return false;
          this.#followEndMs = performance.now() + FOLLOW_MS_MAX;
          return true;
        },
      }),
    );
    this.#failures = tellFailures(this, name, log);
    this.#heartbeat = new Heartbeat(this, silentMsMax(target));
  }

  /** Whether there is a connection, and the server has not been silent on it for two seconds: it is asked every second. */
  get isAnswering(): boolean {
    return this.status === 'ready' && this.#heartbeat.silentMs <= ANSWER_MS_MAX;
  }

  /** Why there is no connection, when that is known; undefined while there is one. */
  get failure(): string | undefined {
    return this.#failures.last;
  }

  /** Waits until there is a connection, or the time is over. */
  async untilReady(patienceMs: number): Promise<void> {
    const endMs = performance.now() + patienceMs;
    while (this.status !== 'ready' && performance.now() < endMs) await delay(FOLLOW_PAUSE_MS);
  }

  /**
   * Runs commands, and again when a server has refused one since its keys are elsewhere, for up to 3 s.
   *
   * @param commands may be run from the start although the first ones of them were done.
   * @throws what they throw.
   */
  async follow<T>(commands: () => Promise<T>): Promise<T> {
    const endMs = performance.now() + FOLLOW_MS_MAX;
    for (;;) {
      await this.untilReady(this.#followEndMs - performance.now());
      try {
        return await commands();
      } catch (error) {
        if (!isElsewhere(error) || performance.now() > endMs) throw error;
      }
      await delay(FOLLOW_PAUSE_MS);
    }
  }
}
