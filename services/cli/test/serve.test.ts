import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hob, temporaryFolder } from './fakes/command-run.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const skip = process.getuid?.() === 0 ? false : 'hob serve needs root';

interface Started {
  readonly child: ReturnType<typeof spawn>;
  /** What it said when it was ready; undefined when it ended before. */
  readonly said: { readonly url: string; readonly pid: number; readonly token?: string } | undefined;
  /** Ends it, in order unless told otherwise. */
  stop(signal?: NodeJS.Signals): Promise<{ readonly code: number | null; readonly stderr: string }>;
}

/** Starts a real server on a folder of the test, which is ended after the test whatever happens. */
async function startServer(t: TestContext, folder: string, env: Record<string, string> = {}): Promise<Started> {
  const child = spawn(process.execPath, ['--conditions=@hob/source', main, 'serve', '--json'], {
    env: {
      PATH: '/usr/bin:/bin',
      HOME: folder,
      HOB_LISTEN: '127.0.0.1:0',
      HOB_DATA_DIR: join(folder, 'data'),
      HOB_POOL_MIN: '1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const stderr = text(child.stderr);
  const first = await Promise.race([once(child.stdout, 'data'), once(child.stdout, 'close')]);
  const said =
    first[0] === undefined || first[0] === false ? undefined : (JSON.parse(String(first[0])) as Started['said']);
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    const [code] = await ended;
    return { code, stderr: await stderr };
  };
  return { child, said, stop };
}

/** Processes that work in a folder or run from it. */
function processesIn(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
    } catch {
      return false;
    }
  });
}

/** Cgroups that were made for a data folder, in any hierarchy. */
function cgroupsOf(dataDir: string): string[] {
  const instance = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return readdirSync('/sys/fs/cgroup', { recursive: true, encoding: 'utf8' }).filter((path) => path.includes(instance));
}

test(
  'hob serve makes a token that works, keeps only its hash, and ends in order leaving nothing',
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const dataDir = join(folder, 'data');
    const server = await startServer(t, folder);
    assert.ok(server.said, 'it started');
    const { url, token = '' } = server.said;
    assert.match(token, /^hob_/);

    const status = async (authorization?: string): Promise<number> => {
      const headers = authorization === undefined ? {} : { authorization };
      return (await fetch(`${url}/v1/functions`, { headers })).status;
    };
    assert.equal(await status(), 401);
    assert.equal(await status(`Bearer ${token}x`), 401);
    assert.equal(await status(`Bearer ${token}`), 200);
    assert.equal((await fetch(`${url}/readyz`)).status, 200);

    const tokens = await readFile(join(dataDir, 'tokens.json'), 'utf8');
    assert.ok(!tokens.includes(token.slice(4)));
    assert.equal((await stat(join(dataDir, 'tokens.json'))).mode & 0o777, 0o600);
    assert.equal((await stat(dataDir)).mode & 0o777, 0o700);

    const own = await hob(['ls', '--json'], { env: { HOME: folder, HOB_URL: url } });
    assert.equal(own.code, 0, `the operator's own commands have the token: ${own.stderr}`);
    assert.ok(processesIn(dataDir).length > 0, 'a private Redis runs');
    assert.ok(cgroupsOf(dataDir).length > 0, 'containers are parked');

    const { code, stderr } = await server.stop();
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /"level":[56]0/);
    assert.deepEqual(processesIn(dataDir), []);
    assert.deepEqual(cgroupsOf(dataDir), []);
  },
);

test(
  'hob serve shows a token at its first start only, and a client of the operator finds it at any port',
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const first = await startServer(t, folder);
    const token = first.said?.token ?? '';
    await first.stop();
    const second = await startServer(t, folder);
    assert.ok(second.said);
    assert.equal(second.said.token, undefined);
    assert.notEqual(second.said.url, first.said?.url);
    const own = await hob(['ls', '--json'], { env: { HOME: folder, HOB_URL: second.said.url } });
    assert.equal(own.code, 0, own.stderr);
    const given = await hob(['ls', '--json'], { env: { HOB_TOKEN: token, HOB_URL: second.said.url } });
    assert.equal(given.code, 0, given.stderr);
    await second.stop();
  },
);

test(
  'hob init, deploy, invoke, logs and rm work on a real server, which lets a running call end when it stops',
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const server = await startServer(t, folder);
    assert.ok(server.said);
    const { url } = server.said;
    const env = { HOME: folder, HOB_URL: url };
    const succeed = async (...argv: string[]): Promise<string> => {
      const { code, stdout, stderr } = await hob(argv, { env });
      assert.equal(code, 0, stderr);
      return stdout;
    };
    const source = join(folder, 'greeter');
    await succeed('init', source);
    assert.match(await succeed('deploy', source), /^greeter@1 /);
    const answer: unknown = JSON.parse(await succeed('invoke', 'greeter', '--path', '/x?name=hob'));
    assert.deepEqual(answer, { message: 'Hello, hob!', method: 'GET', path: '/x' });

    await writeFile(
      join(source, 'index.ts'),
      `export default async (request: Request): Promise<Response> => {
       console.log('waiting');
       return new Response(\`got \${await request.text()}\`);
     };`,
    );
    assert.match(await succeed('deploy', source), /^greeter@2 /);
    const body = new PassThrough();
    body.write('slow ');
    const call = fetch(`${url}/fn/greeter`, { method: 'POST', body: Readable.toWeb(body), duplex: 'half' });
    const isWaiting = async (): Promise<boolean> => (await succeed('logs', 'greeter')).includes('waiting');
    while (!(await isWaiting()));
    const stopped = server.stop('SIGINT');
    // On an open connection it is refused, on a new one it is not even accepted.
    const isServing = (): Promise<boolean> =>
      fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    while (await isServing());
    body.end('body');
    assert.equal(await (await call).text(), 'got slow body');
    assert.equal((await stopped).code, 0);

    const again = await startServer(t, folder);
    assert.ok(again.said);
    const later = await hob(['rm', 'greeter'], { env: { ...env, HOB_URL: again.said.url } });
    assert.equal(later.stdout, 'removed greeter\n', `it was still there: ${later.stderr}`);
    await again.stop();
  },
);

test('hob serve refuses a data folder that is in use, and the server there goes on', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const first = await startServer(t, folder, { HOB_TOKEN: 'a-token-of-my-own' });
  assert.ok(first.said);
  assert.equal(first.said.token, undefined, 'a given token is not shown');
  const second = await startServer(t, folder);
  assert.equal(second.said, undefined);
  const { code, stderr } = await second.stop();
  assert.equal(code, 1);
  const { error } = JSON.parse(stderr) as { error: { code: string; message: string } };
  assert.equal(error.code, 'ERR_SERVE_LOCKED');
  assert.ok(error.message.includes(String(first.said.pid)));
  const headers = { authorization: 'Bearer a-token-of-my-own' };
  assert.equal((await fetch(`${first.said.url}/v1/functions`, { headers })).status, 200);
  await first.stop();
});

test('hob serve that cannot listen undoes its start and sets no token', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`;
  const server = await startServer(t, folder, { HOB_LISTEN: taken });
  assert.equal(server.said, undefined);
  const { code, stderr } = await server.stop();
  assert.equal(code, 1);
  assert.match(stderr, /EADDRINUSE.*HOB_LISTEN/);
  const dataDir = join(folder, 'data');
  assert.deepEqual(processesIn(dataDir), []);
  assert.deepEqual(cgroupsOf(dataDir), []);
  assert.ok(!readdirSync(dataDir).includes('tokens.json'));
});

test('hob serve refuses bad settings before it starts anything', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const server = await startServer(t, folder, { HOB_POOL_MIN: 'many' });
  const { code, stderr } = await server.stop();
  assert.equal(code, 1);
  assert.match(
    stderr,
    /HOB_POOL_MIN: must be a whole number.*ERR_CONFIG_INVALID|ERR_CONFIG_INVALID.*HOB_POOL_MIN: must be a whole number/,
  );
  assert.deepEqual(readdirSync(folder), []);
});

test('hob serve warns of variables that are no settings', { skip }, async (t) => {
  const server = await startServer(t, await temporaryFolder(t), { HOB_POOL_MNI: '3', HOB_ROOTFS: '/nonexistent' });
  const { code, stderr } = await server.stop();
  assert.equal(code, 1);
  assert.match(stderr, /"level":40,.*HOB_POOL_MNI/);
  assert.match(stderr, /ERR_NATIVE_UNSUPPORTED/);
});

test('hob serve refuses a damaged file of tokens, and leaves it as it is', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'data', 'tokens.json'), 'damaged');
  const server = await startServer(t, folder);
  assert.equal(server.said, undefined);
  const { code, stderr } = await server.stop();
  assert.equal(code, 1);
  assert.match(stderr, /ERR_CONFIG_INVALID/);
  assert.equal(await readFile(join(folder, 'data', 'tokens.json'), 'utf8'), 'damaged');
});

test(
  'hob serve --strict refuses a host on which a line is missing, names it, and leaves nothing',
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const rootfs = join(folder, 'rootfs');
    const current = realpathSync(fileURLToPath(new URL('../../../.hob/rootfs/current', import.meta.url)));
    await promisify(execFile)('cp', ['--archive', '--link', '--no-target-directory', current, rootfs]);
    await mkdir(join(rootfs, 'sys'));
    const server = await startServer(t, folder, { HOB_STRICT: 'true', HOB_ROOTFS: rootfs });
    assert.equal(server.said, undefined);
    const { code, stderr } = await server.stop();
    assert.equal(code, 1);
    assert.match(stderr, /ERR_SERVE_STRICT/);
    assert.match(stderr, /11 \/proc: forked: there is a \/sys/);
    assert.equal(existsSync(join('/sys/fs/cgroup/unified/hob', `doctor-${server.child.pid}`)), false);
    assert.deepEqual(processesIn(folder), []);
  },
);
