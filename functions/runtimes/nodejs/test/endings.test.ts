import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShimHost } from './support/shim-host.ts';

/** Invokes a handler made of `body`, which is to end the process, and gives what the host learns. */
async function ending(body: string) {
  await using host = await ShimHost.load(
    `export default async (request, ctx) => { ${body}; return new Response('ok'); };`,
  );
  const call = host.invoke();
  const exit = await host.exit();
  const { code, signal } = await host.exited;
  assert.deepEqual([code, signal], [exit.exitCode, null]);
  return { exit, call, logs: host.logs };
}

const hang = 'await new Promise(() => undefined)';

test('process.exit() runs the exit handlers, flushes output and tells the host', async () => {
  const { exit, call, logs } = await ending(
    `process.on('exit', (code) => console.log('leaving with', code)); process.stdout.write('partial'); process.exit(3)`,
  );
  assert.deepEqual(exit, { reason: 'exit', exitCode: 3 });
  assert.deepEqual(logs, ['1 stdout partialleaving with 3']);
  assert.equal(call.isOver, false);
});

test('reallyExit, abort, and an exit handler that throws or exits again end the process with EXIT', async () => {
  assert.equal((await ending('process.reallyExit(4)')).exit.exitCode, 4);
  assert.equal((await ending('process.abort()')).exit.exitCode, 134);
  assert.equal((await ending(`process.on('exit', () => process.exit(6)); process.exit(5)`)).exit.exitCode, 6);
  const thrown = await ending(`process.on('exit', () => { throw new Error('in exit') });
    setTimeout(() => process.exit(5)); ${hang}`);
  assert.equal(thrown.exit.reason, 'uncaught-exception');
  assert.equal(thrown.exit.error?.message, 'in exit');
});

test('process.exit() while code is loaded ends the process with EXIT', async () => {
  await using host = await ShimHost.start();
  host.claim('process.exit(9); export default 1;');
  assert.deepEqual(await host.exit(), { reason: 'exit', exitCode: 9 });
});

test('an uncaught exception and an unhandled rejection end the process with the error', async () => {
  const timer = await ending(`setTimeout(() => { throw new RangeError('from timer') }); ${hang}`);
  assert.equal(timer.exit.reason, 'uncaught-exception');
  assert.equal(timer.exit.error?.name, 'RangeError');
  assert.match(timer.exit.error?.stack ?? '', /file:\/\/\/var\/task\/index\.mjs:1:/);
  const rejection = await ending(`Promise.reject(new TypeError('nobody')); ${hang}`);
  assert.equal(rejection.exit.reason, 'unhandled-rejection');
  assert.equal(rejection.exit.error?.message, 'nobody');
  const odd = await ending(
    `process.nextTick(() => { throw { get stack() { process.exit(8) } , name: 1, message: 2 } }); ${hang}`,
  );
  assert.equal(typeof odd.exit.exitCode, 'number');
});

test('an uncaught exception after the response ends the process', async () => {
  await using host = await ShimHost.load(
    `export default () => { setTimeout(() => { throw new Error('late') }, 5); return new Response('ok'); };`,
  );
  assert.equal(await host.text(), 'ok');
  assert.equal((await host.exit()).error?.message, 'late');
});

test('a listener of the function for uncaughtException keeps the container alive, as in Node', async () => {
  await using host = await ShimHost.load(
    `const caught = [];
     process.on('uncaughtException', (error, origin) => caught.push(origin + ' ' + error.message));
     export default async (request) => {
       if (request.url.endsWith('caught')) return Response.json(caught);
       setImmediate(() => { throw new Error('one') });
       Promise.reject(new Error('two'));
       await new Promise((resolve) => setTimeout(resolve, 5));
       return new Response('alive');
     };`,
  );
  assert.equal(await host.text(), 'alive');
  const caught = JSON.parse(await host.text({ url: 'http://h/caught' })) as string[];
  assert.deepEqual(caught.sort(), ['uncaughtException one', 'unhandledRejection two']);
});

test('removing all listeners and patching process does not get around the end', async () => {
  const removed = await ending(
    `process.removeAllListeners(); try { process._fatalException = () => true } catch {}
     process.emit = () => false; process.setUncaughtExceptionCaptureCallback(null);
     setTimeout(() => { throw new Error('x') }); ${hang}`,
  );
  assert.equal(removed.exit.error?.message, 'x');
  const wrapped = await ending(`const real = process.reallyExit;
    process.reallyExit = (code) => { console.log('wrapped'); real.call(process, code) }; process.exit(2)`);
  assert.deepEqual([wrapped.exit.exitCode, wrapped.logs], [2, ['1 stdout wrapped']]);
});

test('overriding globals does not break the shim', async () => {
  const vandalism = `for (const name of ['Buffer', 'JSON', 'Request', 'Headers', 'ReadableStream', 'TextDecoder', 'setTimeout',
       'clearTimeout', 'setInterval', 'Uint8Array', 'Map', 'AbortController', 'DOMException', 'fetch', 'Date', 'Proxy',
       'Promise', 'Atomics']) delete globalThis[name];
     process.emitWarning = undefined;\n`;
  await using whole = await ShimHost.load(
    `const Kept = Response; delete globalThis.Response; ${vandalism}
     export default async (request, ctx) => {
       const text = await request.text();
       console.log('read', text, ctx.signal.aborted, request.method);
       return new Kept(text + text);
     };`,
  );
  assert.equal(await whole.text({ body: 'abc' }), 'abcabc');
  assert.deepEqual(whole.logs, ['1 stdout read abc false POST']);
  await using parts = await ShimHost.load(`${vandalism} export const handler = (event) => [event];`);
  const call = parts.invoke({ body: 'later' });
  call.write('{"a":');
  assert.equal(await parts.text(), '[null]');
  call.write('1}', true);
  assert.equal((await call.done()).text, '[{"a":1}]');
});

test('closing the socket or every descriptor ends the container instead of hanging', async () => {
  await using host = await ShimHost.load(
    `import { closeSync } from 'node:fs'; export default () => { closeSync(3); return new Response('lost'); };`,
  );
  host.invoke();
  await host.socketClosed;
  assert.equal((await host.exited).code, 1);
  await using all = await ShimHost.load(
    `import { closeSync } from 'node:fs';
     export default () => { for (let fd = 0; fd < 200; fd += 1) try { closeSync(fd) } catch {} return new Response(''); };`,
  );
  all.invoke();
  await all.socketClosed;
});

test('destroying or unreferencing every handle ends the container or leaves it working', async () => {
  await using unref = await ShimHost.load(
    `export default () => { for (const handle of process._getActiveHandles()) handle.unref?.(); return new Response('ok'); };`,
  );
  assert.equal(await unref.text(), 'ok');
  assert.equal(await unref.text(), 'ok');
  await using destroyed = await ShimHost.load(
    `export default () => { for (const handle of process._getActiveHandles()) handle.destroy?.(); return new Response('ok'); };`,
  );
  destroyed.invoke();
  assert.equal((await destroyed.exited).signal, null);
});

test('the container ends when the host is gone', async () => {
  await using host = await ShimHost.load(`export default () => new Response('ok');`);
  host.hangUp();
  assert.equal((await host.exited).code, 0);
  await using broken = await ShimHost.load(`export default () => new Response('ok');`);
  broken.send(new Uint8Array(64).fill(255));
  assert.equal((await broken.exited).code, 1);
});

test('EXIT follows complete frames even when the host has not read for a while', async () => {
  await using host = await ShimHost.load(
    `export default () => {
       for (let at = 0; at < 3000; at += 1) console.log(at + ' ' + 'y'.repeat(1000));
       setTimeout(() => process.exit(7), 5);
       return new Response(new Uint8Array(200_000));
     };`,
  );
  host.pause();
  const call = host.invoke();
  await host.idle();
  host.resume();
  assert.equal((await host.exit()).exitCode, 7);
  const lines = host.logs.filter((line) => !line.endsWith('dropped'));
  for (const [at, line] of lines.entries()) assert.ok(line.startsWith(`1 stdout ${at} `), line.slice(0, 40));
  assert.ok(lines.length > 300);
  await call.until(() => call.bodyEnded);
});

test('EXIT follows answers that wait for a host that has not read for a while', async () => {
  await using host = await ShimHost.load(
    `let calls = 0;
     export default () => {
       calls += 1;
       if (calls === 20) setTimeout(() => process.exit(7), 5);
       return new Response('x'.repeat(200_000));
     };`,
  );
  host.pause();
  const calls = Array.from({ length: 20 }, () => host.invoke());
  await host.idle();
  host.resume();
  assert.equal((await host.exit()).exitCode, 7);
  for (const call of calls) await call.until(() => call.bodyEnded && call.bodyBytes === 200_000);
});

test('the EXIT of a host that never reads does not keep the process', async () => {
  await using host = await ShimHost.load(
    `export default () => { for (;;) { console.log('z'.repeat(10_000)); if (++globalThis.count > 500) process.exit(7) } };
     globalThis.count = 0;`,
  );
  host.pause();
  host.invoke();
  assert.equal((await host.exitedUnread()).code, 7);
});
