import { HobServer } from './test/support/hob-server.ts';
import { runWrk } from './test/bench/peers/wrk.ts';
import { needProgram } from './test/bench/tools.ts';
import { join } from 'node:path';
const wrk = await needProgram('wrk');
const sets = process.argv[2]?.split(',') ?? ['1', '2'];
const servers: [string, HobServer][] = [];
for (const n of sets) {
  const hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn', HOB_WORKERS: n } });
  await hob.deploy(join(import.meta.dirname, 'test/bench/functions/answer-many'));
  servers.push([n, hob]);
}
for (const [, hob] of servers) await runWrk(wrk.path, `${hob.url}/fn/answer-many`, { connections: 32, seconds: 2 });
for (let r = 0; r < 4; r++) for (const [n, hob] of servers) {
  const x = await runWrk(wrk.path, `${hob.url}/fn/answer-many`, { connections: 32, seconds: 4 });
  console.log(n, Math.round(x.requestsPerSecond), x.p50Ms, x.p99Ms);
}
for (const [, hob] of servers) await hob[Symbol.asyncDispose]();
