/**
 * Makes every attempt of the table and holds this host to its column. With HOB_ISOLATION_RESULTS set to a file, what came
 * out is added to the JSON in it.
 */
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { after, before, test } from 'node:test';
import { cgroupFolders, cgroupName } from '../support/host-census.ts';
import { until } from '../support/until.ts';
import { type Attempt, expectedOn, type Maker, NOT_HERE } from './attempt.ts';
import { attempts } from './attempts.ts';
import { cgroupFile, cgroupOf, firstProcesses, namespaceOf } from './container-sight.ts';
import { hostFacets, hostKind } from './host-kind.ts';
import { runAsFirstProcess } from './first-process.ts';
import { HostileHost } from './hostile-host.ts';
import { probes } from './outside-probes.ts';
import { writeResults } from './results.ts';

/** The native program tells a signal from an errno by this much. */
const SIGNAL_BASE = 1000;
const MiB = 1024 * 1024;
/** Attempts on what a function carries. */
const ofAssets = new Set(['map-code-from-assets', 'run-a-program-from-memory', 'run-a-program-from-tmp']);

/** Of two names of one number the customary one. */
const errnoNames = new Map(
  Object.entries(constants.errno)
    .filter(([name]) => name !== 'EWOULDBLOCK')
    .map(([name, number]) => [number, name]),
);
const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** In a guest, `test/vm/smoke.test.ts` goes on with its server, as the start of one takes half a minute there. */
export const starting = HostileHost.create();
let host: HostileHost;
const seen = new Map<string, string>();

before(async () => {
  host = await starting;
});

after(async () => {
  await host[Symbol.asyncDispose]();
});

async function call(path: string): Promise<string> {
  const answer = await host.hob.fn(`attacks/${path}`);
  assert.equal(answer.status, 200, answer.body.toString('utf8'));
  return answer.body.toString('utf8');
}

/** What an attempt of the function's got; the code of the error that its container ended with, if that ended. */
async function attack(name: string, facts: string): Promise<string> {
  const answer = await host.hob.fn(`attacks/javascript?attempt=${name}`, { body: facts });
  const text = answer.body.toString('utf8');
  return answer.status === 200 ? text : (JSON.parse(text) as { code: string }).code;
}

const of = (maker: Maker): Attempt[] => attempts.filter(({ by }) => by === maker);

/** Holds results to the table; a failure shows every difference. */
function judge(maker: Maker, results: ReadonlyMap<string, string>): void {
  const facets = hostFacets(process.arch === 'x64' ? host.program('i386') : undefined);
  const rows = of(maker);
  for (const { id } of rows) seen.set(id, results.get(id) ?? NOT_HERE);
  const wrong = rows
    .map((row) => ({ id: row.id, got: seen.get(row.id), expected: expectedOn(facets, row) }))
    .filter(({ got, expected }) => got !== expected);
  assert.deepEqual(wrong, []);
  const unlisted = [...results.keys()].filter((id) => !rows.some((row) => row.id === id));
  assert.deepEqual(unlisted, [], 'attempts that the table does not list');
}

/** `-1` is EPERM, `-1031` SIGSYS, `0` and above what was got. */
function nameOf(result: number): string {
  if (result >= 0) return String(result);
  return signalNames.get(-result - SIGNAL_BASE) ?? errnoNames.get(-result) ?? String(result);
}

test('JavaScript of a hostile function gets what the table says', async () => {
  const results = new Map<string, string>();
  const facts = JSON.stringify(host.facts);
  // A call for each, as each may end its container, and takes its time on a slow machine.
  for (const name of JSON.parse(await call('attempts')) as string[]) {
    results.set(name, await attack(name, facts));
  }
  judge('javascript', results);
});

/** What the program wrote: a line `name result` for each attempt. */
function parseNative(lines: readonly string[]): Map<string, string> {
  return new Map(
    lines.map((line): [string, string] => {
      const [name = '', result = ''] = line.split(' ');
      return [name.replaceAll('_', '-'), nameOf(Number(result))];
    }),
  );
}

test('a static program gets what the table says, be it executed by a function or by the driver', async () => {
  const asChild = parseNative((await call('native')).trimEnd().split('\n'));
  const asFirst = parseNative(await runAsFirstProcess(host.root));
  const different = [...asChild].filter(([id, result]) => asFirst.get(id) !== result);
  // The files that the function carries are not mounted in the other container.
  assert.deepEqual(new Map(different.filter(([id]) => !ofAssets.has(id))), new Map());
  judge('native', new Map([...asFirst, ...asChild]));
});

/** What needs calls, and is seen from outside. */
const staged: Readonly<Record<string, () => Promise<string>>> = {
  'tmp-is-charged': async () => {
    const pid = await host.container();
    const used = (): number =>
      Number(cgroupFile(pid, 'memory.current') ?? cgroupFile(pid, 'memory.usage_in_bytes') ?? Number.NaN);
    const beforeBytes = used();
    await call('fill');
    const bytes = used() - beforeBytes;
    return bytes > 16 * MiB ? 'charged' : `${bytes} bytes`;
  },
  'same-randomness': async () => {
    const first = Object.entries(JSON.parse(await call('random')) as Record<string, unknown>);
    await host.hob.fn('attacks/exit');
    const second = JSON.parse(await call('random')) as Record<string, unknown>;
    const same = first.filter(([name, value]) => second[name] === value).map(([name]) => name);
    return same.join(' ') || 'nothing in common';
  },
  'terminal-codes': async () => {
    await call('print');
    const shown = await until('the log has the line', async () => {
      const text = await host.hob.hobInTerminal(['logs', 'attacks', '--tail', '10']);
      return text.includes('marker') && text;
    });
    // What is left are the ends of the terminal's lines.
    const codes = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/.exec(shown)?.[0];
    return codes === undefined ? 'stripped' : JSON.stringify(codes);
  },
  'next-version': async () => {
    await call('leave');
    assert.equal(await call('look'), 'what was left');
    await host.hob.deploy(host.folder);
    return call('look');
  },
  'left-after-death': async () => {
    const pid = await host.container();
    const namespace = namespaceOf(pid, 'pid');
    const cgroups = cgroupName(host.hob.pid);
    const path = /\/hob\/[^/]+\/([^/\n]+)/.exec(cgroupOf(pid))?.[1] ?? '';
    const count = (): string => {
      const processes = firstProcesses().filter((other) => namespaceOf(other, 'pid') === namespace).length;
      const folders = cgroupFolders(cgroups).filter((folder) => folder.endsWith(`/${path}`)).length;
      return `${processes} processes, ${folders} cgroups`;
    };
    assert.match(count(), /^1 processes, [1-9]/);
    assert.equal((await host.hob.hob(['rm', 'attacks', '--yes'])).exitCode, 0);
    await until('the container is gone', () => count() === '0 processes, 0 cgroups');
    return count();
  },
};

test('the kernel says of a live container what the table says', async () => {
  const sight = await host.sight();
  const results = new Map(Object.entries(probes).map(([id, probe]) => [id, probe(sight)]));
  for (const [id, stage] of Object.entries(staged)) results.set(id, await stage());
  judge('outside', results);
});

test('every attempt of the table was made', (t) => {
  const kind = hostKind();
  assert.deepEqual(
    attempts.filter(({ id }) => !seen.has(id)).map(({ id }) => id),
    [],
  );
  const file = process.env['HOB_ISOLATION_RESULTS'];
  if (file !== undefined)
    writeResults(file, kind, Object.fromEntries(attempts.map(({ id }) => [id, seen.get(id) ?? ''])));
  t.diagnostic(`${attempts.length} attempts on a host of kind ${kind}`);
});
