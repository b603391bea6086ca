// Uses as much of one resource as it gets, for as long as it is let. The path says which one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';

const hoard: Uint8Array[] = [];
const sockets: Socket[] = [];

const turn = () => new Promise((resolve) => setImmediate(resolve));

function spin(): never {
  for (let turns = 0; ; turns += 1) if (turns < 0) throw new Error('it wrapped');
}

function allocate(): never {
  for (;;) hoard.push(new Uint8Array(4 * 1024 * 1024).fill(hoard.length));
}

/** Processes that start processes. */
async function fork(): Promise<never> {
  for (;;) {
    spawn('/bin/sh', ['-c', 'while :; do sleep 100 & done'], { stdio: 'ignore' }).on('error', () => undefined);
    await turn();
  }
}

/** Until there is none left, and then over and over. */
async function openAll(): Promise<never> {
  for (;;) {
    try {
      for (;;) openSync('/dev/null', 'r');
    } catch {
      await turn();
    }
  }
}

async function fillDisk(): Promise<never> {
  const piece = Buffer.alloc(1024 * 1024, 1);
  for (let number = 0; ; number += 1) {
    try {
      writeFileSync(`/tmp/${number}`, piece);
    } catch {
      for (let at = 0; at <= number; at += 1) rmSync(`/tmp/${at}`, { force: true });
    }
    await turn();
  }
}

/** By the console, and by a child process that writes to the descriptor. */
async function flood(): Promise<never> {
  spawn('/bin/sh', ['-c', 'while :; do echo flood; done'], { stdio: ['ignore', 'inherit', 'inherit'] });
  const line = 'x'.repeat(100);
  for (;;) {
    for (let lines = 0; lines < 1000; lines += 1) console.log(line);
    await turn();
  }
}

/** Connections over the loopback of the container. */
async function connectAll(): Promise<never> {
  const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  for (;;) {
    for (let number = 0; number < 50; number += 1) {
      sockets.push(connect(port, '127.0.0.1').on('error', () => undefined));
    }
    await turn();
    if (sockets.length > 5000) for (const socket of sockets.splice(0)) socket.destroy();
  }
}

const abuses: Readonly<Record<string, () => Promise<never>>> = {
  '/cpu': async () => spin(),
  '/memory': async () => allocate(),
  '/processes': fork,
  '/descriptors': openAll,
  '/disk': fillDisk,
  '/log': flood,
  '/connections': connectAll,
};

export default async function abuse(request: Request): Promise<Response> {
  const run = abuses[new URL(request.url).pathname];
  if (run === undefined) return new Response('nothing done');
  // Whoever waits for the abuse sees it in the log: what is logged before the first turn leaves at once.
  console.log('abusing');
  await turn();
  return run();
}
