import {
  asHobError,
  fail,
  type FunctionDirectory,
  type HobError,
  type InvocationRequest,
  type Invoker,
} from '@hob/contracts';
import { AnswerSink } from './answer-sink.ts';
import type { Receipts } from './receipts.ts';
import type { Attempt, StoredEvent } from './stored-event.ts';

export interface EventRunnerOptions {
  readonly invoker: Invoker;
  readonly directory: Pick<FunctionDirectory, 'resolve'>;
  readonly receipts: Receipts;
  /** How much of an answer's body is kept, bytes. */
  readonly resultBytesMax: number;
}

/** What is to be called. */
export interface EventCall {
  readonly id: string;
  readonly event: StoredEvent;
  readonly body: Uint8Array | undefined;
  /** From 1. The function is told by the header `hob-attempt`. */
  readonly attempt: number;
  /** Cancels the call. */
  readonly signal: AbortSignal;
}

/** An attempt, with the error as it was thrown. */
export interface EventEnd {
  readonly attempt: Attempt;
  readonly error?: HobError;
  /** The call may have reached the function. */
  readonly mayHaveRun: boolean;
}

const ATTEMPT = 'hob-attempt';

/** Makes calls of events. */
export class EventRunner {
  readonly #options: EventRunnerOptions;

  constructor(options: EventRunnerOptions) {
    this.#options = options;
  }

  /** Calls a function once and waits until all work of the call is over. Never rejects. */
  async run(call: EventCall): Promise<EventEnd> {
    const { invoker, receipts, resultBytesMax } = this.#options;
    let request: InvocationRequest;
    try {
      request = this.#request(call);
    } catch (thrown) {
      return failed(asHobError(thrown), { mayHaveRun: false });
    }
    const sink = new AnswerSink(resultBytesMax);
    const receiptCame = receipts.of(call.id);
    const handle = invoker.invoke(request, sink);
    if (call.body !== undefined) {
      handle.write(call.body);
      handle.end();
    }
    const cancel = (): void => handle.cancel('cancelled');
    if (call.signal.aborted) cancel();
    else call.signal.addEventListener('abort', cancel, { once: true });
    const { answer, error, mayHaveRun } = await sink.ended;
    const receipt = await receiptCame;
    if (error !== undefined) return failed(error, { mayHaveRun, receipt });
    if (answer === undefined || answer.status < 500) {
      return { attempt: { ...(answer && { result: answer }), receipt }, mayHaveRun };
    }
    return failed(fail('ERR_FN_STATUS', [answer.status]), { mayHaveRun, result: answer, receipt });
  }

  #request({ id, event, body, attempt }: EventCall): InvocationRequest {
    const { method, url } = event;
    const own = event.headers.filter((_, index) => event.headers[index - (index % 2)] !== ATTEMPT);
    const headers = [...own, ATTEMPT, String(attempt)];
    const version = this.#options.directory.resolve(event.function, event.version, event.headers);
    return { id, version, method, url, headers, hasBody: body !== undefined };
  }
}

interface FailedCall extends Pick<Attempt, 'result' | 'receipt'> {
  readonly mayHaveRun: boolean;
}

function failed(error: HobError, { mayHaveRun, ...attempt }: FailedCall): EventEnd {
  return { attempt: { ...attempt, error: { code: error.code, message: error.message } }, error, mayHaveRun };
}
