// Makes system calls that its hob.json denies, from wherever a function can make one.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';

const FOLDER = '/tmp/forbidden';

async function inWorker(): Promise<void> {
  const worker = new Worker(`require('node:fs').mkdirSync('${FOLDER}')`, { eval: true });
  await new Promise((resolve) => worker.once('exit', resolve));
}

export default async function strict(request: Request, ctx: { waitUntil(work: Promise<unknown>): void }) {
  switch (new URL(request.url).pathname) {
    case '/self':
      mkdirSync(FOLDER);
      break;
    case '/threads':
      await mkdir(FOLDER);
      break;
    case '/worker':
      await inWorker();
      break;
    case '/shell':
      spawnSync('/bin/sh', ['-c', 'umask 077']);
      break;
    case '/grandchild':
      spawnSync('/bin/sh', ['-c', `(mkdir ${FOLDER}; true) & wait`]);
      break;
    case '/afterwards':
      ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 20)).then(() => mkdirSync(FOLDER)));
      return new Response('answered');
    case '/caught':
      try {
        mkdirSync(FOLDER);
      } catch {
        return new Response('caught');
      }
      break;
    case '/file':
      return new Response(readFileSync('/etc/hosts', 'utf8'));
    default:
      return new Response('fine');
  }
  return new Response('made');
}
