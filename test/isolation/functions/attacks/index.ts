// A hostile function: tries to get at what is not its own, and reports what it got.
import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { existsSync, readlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { attempts, type HostFacts } from './attempts.ts';

const LEFT = '/tmp/attack-left';
let calls = 0;

/** The code of an error; of one that Node wraps, what the kernel said. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, info } = error as { code?: string; info?: { errno?: number } };
  const number = Math.abs(info?.errno ?? 0);
  const name = Object.entries(constants.errno).find(([, value]) => value === number)?.[0];
  return name ?? code ?? String(error);
}

/** An attempt gives a word: what it got, or the code of the error that stopped it. */
async function attack(name: string, facts: HostFacts): Promise<string> {
  const attempt = attempts[name];
  if (attempt === undefined) return 'never made';
  try {
    return await attempt(facts);
  } catch (error) {
    return codeOf(error);
  }
}

/** What no two containers may agree on. */
function random(): Record<string, string | number> {
  return {
    uuid: randomUUID(),
    math: Math.random(),
    int: randomInt(2 ** 47),
    bytes: randomBytes(8).toString('hex'),
    timeOrigin: performance.timeOrigin,
  };
}

export default async function serve(request: Request): Promise<Response> {
  calls += 1;
  const { pathname, searchParams } = new URL(request.url);
  switch (pathname) {
    case '/attempts':
      return Response.json(Object.keys(attempts));
    case '/javascript':
      return new Response(await attack(searchParams.get('attempt') ?? '', (await request.json()) as HostFacts));
    case '/native':
      return new Response(execFileSync('/usr/bin/attack'));
    case '/fill':
      writeFileSync('/tmp/attack-fill', Buffer.alloc(24 * 1024 * 1024, 1));
      return new Response('filled');
    case '/leave':
      writeFileSync(LEFT, 'left');
      Reflect.set(globalThis, 'attackLeft', true);
      return new Response('left');
    case '/look':
      return new Response(existsSync(LEFT) || Reflect.has(globalThis, 'attackLeft') ? 'what was left' : 'nothing');
    case '/print':
      console.log('\u001b]0;attack\u0007\u001b[2J\u001b[31mmarker\u009b5m\r\u001b[1A');
      return new Response('printed');
    case '/random':
      return Response.json(random());
    case '/exit':
      return process.exit(0);
    default:
      return Response.json({ calls, pidNamespace: readlinkSync('/proc/self/ns/pid') });
  }
}
