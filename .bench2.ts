import { HobServer } from './test/support/hob-server.ts';
import { runWrk } from './test/bench/peers/wrk.ts';
import { needProgram } from './test/bench/tools.ts';
import { descendants, serverPid } from './test/support/processes.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
const wrk = await needProgram('wrk');
const cpu = (pid: number) => { const t = readFileSync(`/proc/${pid}/stat`, 'utf8'); const r = t.slice(t.lastIndexOf(')') + 2).split(' '); return (Number(r[11]) + Number(r[12])) * 10; };
const rss = (pid: number) => /Pss:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
const sets = process.argv[2]?.split(',') ?? ['1', '2'];
const conns = Number(process.argv[3] ?? 32);
for (const n of sets) {
  await using hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn', HOB_WORKERS: n } });
  await hob.deploy(join(import.meta.dirname, 'test/bench/functions/answer-many'));
  await runWrk(wrk.path, `${hob.url}/fn/answer-many`, { connections: conns, seconds: 3 });
  const s = serverPid(hob.pid);
  const ws = descendants(s).filter((d) => readFileSync(`/proc/${d.pid}/cmdline`, 'utf8').includes('worker')).map((d) => d.pid);
  const before = [s, ...ws].map(cpu);
  const x = await runWrk(wrk.path, `${hob.url}/fn/answer-many`, { connections: conns, seconds: 8 });
  const used = [s, ...ws].map((p, i) => cpu(p) - (before[i] ?? 0));
  const calls = x.requestsPerSecond * 8;
  console.log(`workers=${n}: ${Math.round(x.requestsPerSecond)}/s p50 ${x.p50Ms}; CPU µs per call: server ${(used[0]! * 1000 / calls).toFixed(0)}, workers ${used.slice(1).map((u) => (u * 1000 / calls).toFixed(0))}; pss kB ${[s, ...ws].map(rss)}`);
}
