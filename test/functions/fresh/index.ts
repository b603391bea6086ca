// Tells what must differ from container to container. It answers at once and ends when its request body does, so that a
// caller can hold any number of containers at the same time.
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

let calls = 0;

function tell(): string {
  calls += 1;
  const tale = {
    calls,
    random: Math.random(),
    uuid: randomUUID(),
    webUuid: crypto.randomUUID(),
    int: randomInt(2 ** 47),
    bytes: randomBytes(16).toString('hex'),
    pid: process.pid,
    pidInProc: Number(readFileSync('/proc/self/stat', 'utf8').split(' ')[0]),
    timeOriginMs: performance.timeOrigin,
    uptimeSeconds: process.uptime(),
    cwd: process.cwd(),
    execPath: process.execPath,
    environment: Object.keys(process.env),
  };
  return `${JSON.stringify(tale)}\n`;
}

async function* tellAndHold(request: Request): AsyncGenerator<string> {
  yield tell();
  for await (const chunk of request.body ?? []) if (chunk.byteLength > 1024 * 1024) return;
}

export default (request: Request): Response =>
  new Response(ReadableStream.from(tellAndHold(request)).pipeThrough(new TextEncoderStream()));
