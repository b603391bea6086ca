import { HobServer } from './test/support/hob-server.ts';
import { exampleFolder } from './test/support/example.ts';
import { join } from 'node:path';
await using hob = await HobServer.create({ env: { HOB_WORKERS: '2' } });
console.log('up');
await hob.deploy(exampleFolder('hello'), join(import.meta.dirname, 'test/functions/behave'));
for (let i = 0; i < 5; i++) { const a = await hob.fn('hello'); console.log(a.status, a.body.toString().slice(0,100), a.headers['hob-receipt']); }
const up = await hob.fn('behave/sha256', { method: 'POST', body: Buffer.alloc(10_000_000) });
console.log(up.status, up.body.toString());
const down = await hob.fn('behave/blocks?bytes=10000000');
console.log(down.status, down.body.byteLength);
console.log((await fetch(hob.url + '/metrics').then((r) => r.text())).split('\n').filter((l) => /^hob_(invocations_total|http|gateway)/.test(l)).join('\n'));
console.log((await hob.hob(['stats'])).stdout.slice(0, 600));
console.log('stop', await hob.stop());
console.log(hob.output.slice(-3000));
