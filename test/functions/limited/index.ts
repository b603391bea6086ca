// Uses as much of one thing as the path says, so that tests can see what it runs into.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';

interface Context {
  readonly invocationId: string;
  readonly deadline: number;
  readonly signal: AbortSignal;
}

let calls = 0;

function spin(ms: number): void {
  for (const end = Date.now() + ms; Date.now() < end;) calls += 0;
}

/** Opens descriptors until the kernel refuses one, and closes them again. */
function openAll(): { readonly opened: number; readonly refusal: string } {
  const opened: number[] = [];
  try {
    for (;;) opened.push(openSync('/dev/null', 'r'));
  } catch (error) {
    const refusal = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return { opened: opened.length, refusal };
  } finally {
    opened.forEach(closeSync);
  }
}

/** A child process that uses memory without end; its parent has almost none. */
async function hoardInChild(): Promise<string> {
  const hoard = 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))';
  const child = spawn(process.execPath, ['-e', hoard], { stdio: 'ignore' });
  const [code, signal] = await once(child, 'exit');
  return `the child ended with ${code ?? signal}`;
}

/** Pieces of 64 KB, with a turn of the event loop and `pauseMs` between them. */
async function* pieces(bytes: number, pauseMs: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(64 * 1024, 0x62);
  for (let sent = 0; sent < bytes; sent += piece.byteLength) {
    yield piece.subarray(0, Math.min(piece.byteLength, bytes - sent));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Tells in the log what it is called, and then never ends, whoever asks for it. */
function ignoreEverything({ invocationId }: Context): Promise<never> {
  console.log(`ignoring ${invocationId}`);
  return new Promise(() => undefined);
}

async function waitForSignal({ signal, deadline }: Context): Promise<Response> {
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  return Response.json({ leftMs: deadline - Date.now(), reason: (signal.reason as DOMException).name });
}

export default async function limited(request: Request, ctx: Context): Promise<Response> {
  calls += 1;
  const { pathname, searchParams } = new URL(request.url);
  const amount = Number(searchParams.get('amount') ?? '0');
  switch (pathname) {
    case '/spin':
      spin(amount);
      return new Response('spun');
    case '/wait':
      await new Promise((resolve) => setTimeout(resolve, amount));
      return new Response('waited');
    case '/use-memory':
      writeFileSync('/tmp/used', Buffer.alloc(amount, 1));
      unlinkSync('/tmp/used');
      return new Response('used');
    case '/text':
      return new Response('t'.repeat(amount));
    case '/stream':
      return new Response(ReadableStream.from(pieces(amount, 0)));
    case '/slow-stream':
      return new Response(ReadableStream.from(pieces(amount, 50)));
    case '/open':
      return Response.json(openAll());
    case '/tmp': {
      const { blocks, bsize, files } = statfsSync('/tmp');
      return Response.json({ bytes: blocks * bsize, files });
    }
    case '/hoard-in-child':
      return new Response(await hoardInChild());
    case '/hoard-in-child-and-throw':
      throw new Error(await hoardInChild());
    case '/ignore':
      return ignoreEverything(ctx);
    case '/until-signal':
      return waitForSignal(ctx);
    default:
      return Response.json({ calls, processes: readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length });
  }
}
