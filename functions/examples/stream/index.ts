// Server-sent events: one tick after another, each sent the moment it is made.
//
//     curl -N 'http://127.0.0.1:8080/fn/stream?count=10&intervalMs=500'
//
// A reader that reconnects with `last-event-id` goes on after that tick. When the reader goes away, the ticks end.
import { setTimeout as sleep } from 'node:timers/promises';

interface Context {
  /** Aborted when the reader disconnects, the call is cancelled, and shortly before the deadline. */
  readonly signal: AbortSignal;
}

/** A whole number within its range; undefined when the text is none. */
function parseWhole(text: string, range: { readonly min: number; readonly max: number }): number | undefined {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= range.min && value <= range.max ? value : undefined;
}

async function* ticks(
  from: number,
  plan: { readonly count: number; readonly intervalMs: number; signal: AbortSignal },
) {
  const { count, intervalMs, signal } = plan;
  try {
    for (let id = from; id <= count; id += 1) {
      yield `id: ${id}\nevent: tick\ndata: ${JSON.stringify({ id, of: count, time: new Date().toISOString() })}\n\n`;
      if (id < count) await sleep(intervalMs, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    console.log('the reader went away');
  }
}

export default function stream(request: Request, ctx: Context): Response {
  const { searchParams } = new URL(request.url);
  const count = parseWhole(searchParams.get('count') ?? '5', { min: 1, max: 10_000 });
  const intervalMs = parseWhole(searchParams.get('intervalMs') ?? '200', { min: 0, max: 10_000 });
  const lastId = parseWhole(request.headers.get('last-event-id') ?? '0', { min: 0, max: 10_000 });
  if (count === undefined || intervalMs === undefined || lastId === undefined) {
    return new Response('count: 1 to 10000, intervalMs: 0 to 10000\n', { status: 400 });
  }
  const signal = AbortSignal.any([request.signal, ctx.signal]);
  const body = ReadableStream.from(ticks(lastId + 1, { count, intervalMs, signal }));
  return new Response(body.pipeThrough(new TextEncoderStream()), {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
  });
}
