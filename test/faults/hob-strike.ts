import { setTimeout as delay } from 'node:timers/promises';
import type { HobServer } from '../support/hob-server.ts';
import { isRunning, signal } from '../support/processes.ts';
import { until } from '../support/until.ts';
import type { Kill } from './doubled-runs.ts';
import type { Fault, HobFaultKind } from './fault-plan.ts';
import { type HobPart, partsOf } from './hob-parts.ts';

/** Does to a hob what is planned. @returns the kill, when it was one; the hob runs again. */
export async function strike({ kind, pick, pauseMs, awayMs }: Fault<HobFaultKind>, hob: HobServer): Promise<Kill[]> {
  const [how, part] = kind.split('-') as ['kill' | 'stop', HobPart];
  const target = await until(`there is a ${part}`, () => {
    const there = partsOf(hob.pid, part);
    return there[Math.floor(pick * there.length)];
  });
  if (how === 'stop') {
    signal(target.pid, 'SIGSTOP');
    await delay(pauseMs);
    if (isRunning(target)) signal(target.pid, 'SIGCONT');
    return [];
  }
  const struckMs = Date.now();
  signal(target.pid, 'SIGKILL');
  if (part === 'server' || part === 'launcher') {
    await hob.ended();
    await delay(awayMs);
    await hob.start();
  } else await until(`the ${part} has ended`, () => !isRunning(target));
  return [{ kind, struckMs, overMs: Date.now() }];
}
