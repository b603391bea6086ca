import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOG_LINE_BYTES_MAX } from '@hob/contracts/protocol';
import { ShimHost } from './support/shim-host.ts';

test('console and process.stdout send lines with the stream of their invocation, formatted as by Node', async () => {
  await using host = await ShimHost.load(
    `console.log('loading', { a: [1, 'x'] });
     export default async (request, ctx) => {
       const path = new URL(request.url).pathname;
       console.log('%s has %d', path, 3, new Map([[1, 2]]));
       await null;
       console.error(new Error('shown').message);
       process.stdout.write('part');
       await new Promise((resolve) => setTimeout(resolve, 1));
       process.stdout.write('ial ' + path + '\\nrest');
       process.stderr.write(Buffer.from('7465', 'hex'));
       process.stderr.write('7374', 'hex');
       return new Response('x');
     };`,
  );
  await Promise.all([host.text({ url: 'http://h/a' }), host.text({ url: 'http://h/b' })]);
  const of = (stream: number): string[] => host.logs.filter((line) => line.startsWith(`${stream} `));
  assert.deepEqual(of(0), ["0 stdout loading { a: [ 1, 'x' ] }"]);
  for (const [stream, path] of [
    [1, '/a'],
    [2, '/b'],
  ] as const) {
    assert.deepEqual(of(stream), [
      `${stream} stdout ${path} has 3 Map(1) { 1 => 2 }`,
      `${stream} stderr shown`,
      `${stream} stdout partial ${path}`,
      `${stream} stdout rest`,
      `${stream} stderr test`,
    ]);
  }
});

test('output after the end of an invocation belongs to none', async () => {
  await using host = await ShimHost.load(
    `let late;
     export default async (request) => {
       if (request.url.endsWith('late')) { late(); return new Response(''); }
       new Promise((resolve) => { late = resolve; }).then(() => console.log('late'));
       console.log('now');
       return new Response('');
     };`,
  );
  await host.text();
  await host.text({ url: 'http://h/late' });
  assert.deepEqual(host.logs, ['1 stdout now', '0 stdout late']);
});

test('a character that is split between two writes arrives whole', async () => {
  await using host = await ShimHost.load(
    `export default () => {
       const bytes = Buffer.from('grün\\n');
       process.stdout.write(bytes.subarray(0, 3));
       process.stdout.write(bytes.subarray(3));
       return new Response('');
     };`,
  );
  await host.text();
  assert.deepEqual(host.logs, ['1 stdout grün']);
});

test('a line over LOG_LINE_BYTES_MAX is cut at a character and ends in an ellipsis, however it is written', async () => {
  await using host = await ShimHost.load(
    `export default () => {
       console.log('ü'.repeat(20_000));
       console.log('fits');
       for (let at = 0; at < 100; at += 1) process.stdout.write('€'.repeat(1000));
       process.stdout.write('\\nafter\\n' + '\\u0001'.repeat(16384) + '\\n');
       return new Response('');
     };`,
  );
  await host.text();
  const lines = host.logs.map((line) => line.replace('1 stdout ', ''));
  assert.deepEqual(
    lines.map((line) => (line.length > 20 ? [line[0], line.at(-1)] : line)),
    [['ü', '…'], 'fits', ['€', '…'], 'after', ['\u0001', '\u0001']],
  );
  for (const line of lines) {
    assert.ok(Buffer.byteLength(line) <= LOG_LINE_BYTES_MAX);
    assert.doesNotMatch(line, /\ufffd/);
  }
  assert.ok(Buffer.byteLength(lines[0] ?? '') > LOG_LINE_BYTES_MAX - 4);
});

test('a flood of lines while the host does not read is dropped and counted, in bounded memory', async () => {
  await using host = await ShimHost.load(
    `export default () => {
       const before = process.memoryUsage().rss;
       for (let at = 0; at < 200_000; at += 1) console.log('line ' + at + ' ' + 'x'.repeat(500));
       return new Response(String(process.memoryUsage().rss - before));
     };`,
  );
  host.pause();
  const call = host.invoke();
  await host.idle();
  host.resume();
  await call.done();
  assert.ok(Number(call.text) < 60e6, `${call.text} bytes more`);
  const dropped = host.logs.filter((line) => line.endsWith('lines dropped'));
  assert.ok(dropped.length > 0);
  const counts = dropped.map((line) => Number(/(\d+) lines dropped/.exec(line)?.[1]));
  const arrived = host.logs.length - dropped.length;
  assert.equal(arrived + counts.reduce((sum, count) => sum + count, 0), 200_000);
});

test('process.stdout cannot be ended, destroyed or closed for good', async () => {
  await using host = await ShimHost.load(
    `export default async () => {
       await new Promise((resolve) => process.stdout.end('last\\n', resolve));
       process.stdout.destroy();
       process.stderr.end();
       console.log('still');
       return new Response(String([process.stdout.writable, process.stdout.fd, process.stdout.isTTY]));
     };`,
  );
  assert.equal(await host.text(), 'true,1,');
  assert.deepEqual(host.logs, ['1 stdout last', '1 stdout still']);
});

test('child processes and the descriptors 1 and 2 write past the shim', async () => {
  await using host = await ShimHost.load(
    `import { execFileSync, spawnSync } from 'node:child_process';
     import { writeSync } from 'node:fs';
     export default () => {
       writeSync(1, 'raw\\n');
       spawnSync('/bin/echo', ['child'], { stdio: 'inherit' });
       return new Response(execFileSync('/bin/echo', ['piped']).toString());
     };`,
  );
  let output = '';
  host.child.stdout?.on('data', (bytes: Buffer) => (output += bytes.toString()));
  assert.equal(await host.text(), 'piped\n');
  host.child.kill('SIGKILL');
  await host.exited;
  assert.equal(output, 'raw\nchild\n');
  assert.deepEqual(host.logs, []);
});
