import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hob-start-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Listens on a free port of the loopback. */
async function listen(): Promise<{ server: Server; address: string }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { server, address: `127.0.0.1:${address.port}` };
}

/** `npm start` after set-up, on an address and a data folder of its own. @returns exit code and all output */
async function start(address: string): Promise<{ code: number; output: string }> {
  const env = { ...process.env, HOB_LISTEN: address, HOB_DATA_DIR: join(folder, 'data'), XDG_CONFIG_HOME: folder };
  const child: ChildProcess = spawn(process.execPath, [join(root, 'infra/commands/start.ts'), '--once'], { env });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = await once(child, 'close');
  return { code: Number(code), output };
}

test('npm start --once deploys every example, gets the expected answer from each, and ends with 0', async () => {
  const { server, address } = await listen();
  server.close();
  await once(server, 'close');
  const { code, output } = await start(address);
  const examples = readdirSync(join(root, 'functions/examples'));
  assert.ok(output.includes(`${examples.length} of ${examples.length} examples answered as expected`), output);
  for (const name of examples) assert.match(output, new RegExp(`deployed ${name}@1, \\d+ KiB`), output);
  assert.equal(code, 0, output);
});

test('npm start says clearly that its address is taken, and ends with 1', async () => {
  const { server, address } = await listen();
  try {
    const { code, output } = await start(address);
    assert.equal(code, 1);
    assert.match(output, new RegExp(`something already listens at ${address}`));
  } finally {
    server.close();
  }
});
