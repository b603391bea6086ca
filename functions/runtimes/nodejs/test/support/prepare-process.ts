/** Prints what `prepareShim` has changed in its process. */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { prepareShim } from '../../src/shim.ts';

const crypto = createRequire(import.meta.url)('node:crypto') as Record<string, () => unknown>;
const drawn: string[] = [];
for (const [object, names] of [
  [Math as object as Record<string, () => unknown>, ['random']],
  [crypto, ['randomUUID', 'randomInt']],
] as const) {
  for (const name of names) {
    object[name] = () => {
      drawn.push(name);
      return 0.5;
    };
  }
}
syncBuiltinESMExports();

function state(): object {
  return {
    resources: process.getActiveResourcesInfo(),
    listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]),
    env: { ...process.env },
    cwd: process.cwd(),
  };
}

async function main(): Promise<void> {
  const before = state();
  await prepareShim(process.pid);
  const after = state();
  console.log(JSON.stringify({ before, after, drawn }));
}

void main();
