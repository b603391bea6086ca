// Does to its container whatever the path says, so that tests can see how the platform takes it.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, readdirSync, writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';

interface Context {
  readonly invocationId: string;
  readonly signal: AbortSignal;
}

let calls = 0;
const children: ReturnType<typeof spawn>[] = [];
const hoard: Uint8Array[] = [];

/** Starts processes until the kernel refuses one. */
async function bomb(): Promise<{ readonly started: number; readonly refusal: string }> {
  for (;;) {
    const child = spawn('/bin/sleep', ['1000'], { stdio: 'ignore' });
    const refusal = await new Promise<string | undefined>((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      child.once('spawn', () => resolve(undefined));
    });
    if (refusal !== undefined) return { started: children.length, refusal };
    children.push(child);
  }
}

/** Runs into a breakpoint, which ends even the first process of a pid namespace. */
function crash(): never {
  setFlagsFromString('--allow-natives-syntax');
  runInThisContext('%SystemBreak()');
  throw new Error('there was no breakpoint');
}

function hoardForever(): never {
  for (;;) hoard.push(new Uint8Array(4 * 1024 * 1024).fill(hoard.length));
}

function closeEverything(): void {
  for (let descriptor = 0; descriptor < 1024; descriptor += 1) {
    try {
      closeSync(descriptor);
    } catch {
      // It was not open.
    }
  }
}

/** Bytes that can be known again: each block begins with its number. */
async function* blocks(bytes: number): AsyncGenerator<Uint8Array> {
  const block = 64 * 1024;
  for (let at = 0; at < bytes; at += block) {
    const piece = Buffer.alloc(Math.min(block, bytes - at), 0x61);
    piece.writeUInt32LE(at / block, 0);
    yield piece;
  }
}

async function sha256(request: Request): Promise<Response> {
  const hash = createHash('sha256');
  for await (const chunk of request.body ?? []) hash.update(chunk);
  return new Response(hash.digest('hex'));
}

async function waitForAbort(ctx: Context): Promise<Response> {
  // Again and again: after a flood lines of the same second are dropped.
  const saying = setInterval(() => console.log('waiting'), 50);
  await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve(), { once: true }));
  clearInterval(saying);
  console.log(`aborted ${ctx.invocationId}`);
  return new Response('too late');
}

function flood(bytes: number): Response {
  const line = `${'x'.repeat(1023)}\n`;
  for (let written = 0; written < bytes; written += line.length) process.stdout.write(line);
  return new Response('flooded');
}

/** Past console and process.stdout: as native code and child processes write. */
function floodDescriptor(bytes: number): Response {
  const line = `${'y'.repeat(1023)}\n`;
  for (let written = 0; written < bytes;) {
    try {
      written += writeSync(1, line);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
  return new Response('flooded');
}

const never = () => new Promise<never>(() => undefined);

async function misbehave(what: string, request: Request, ctx: Context): Promise<Response> {
  const bytes = Number(new URL(request.url).searchParams.get('bytes') ?? '0');
  switch (what) {
    case '/exit':
      return process.exit(3);
    case '/throw':
      throw new RangeError('thrown on purpose');
    case '/reject':
      void Promise.reject(new Error('lost on purpose'));
      return never();
    case '/later':
      setImmediate(() => {
        throw new Error('late on purpose');
      });
      return never();
    case '/nothing':
      return undefined as never;
    case '/hoard':
      return hoardForever();
    case '/hoard-heap':
      for (const heap: unknown[] = []; ;) heap.push({ at: heap.length, text: `${heap.length}` });
    case '/abort':
      return process.abort();
    case '/crash':
      return crash();
    case '/bomb':
      return Response.json(await bomb());
    case '/bomb-and-throw':
      throw new Error((await bomb()).refusal);
    case '/bomb-and-wait':
      await bomb();
      return never();
    case '/bomb-and-die':
      await bomb();
      return crash();
    case '/close':
      closeEverything();
      return never();
    case '/flood':
      return flood(bytes);
    case '/flood-descriptor':
      return floodDescriptor(bytes);
    case '/echo':
      return new Response(request.body);
    case '/sha256':
      return sha256(request);
    case '/make':
      return new Response(ReadableStream.from(blocks(bytes)));
    case '/wait':
      return waitForAbort(ctx);
    case '/spin':
      for (;;) calls += 0;
    default:
      return Response.json({ calls, pid: process.pid, descriptors: readdirSync('/proc/self/fd').length });
  }
}

export default async function behave(request: Request, ctx: Context): Promise<Response> {
  calls += 1;
  return misbehave(new URL(request.url).pathname, request, ctx);
}
