import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const source = fileURLToPath(import.meta.resolve('./support/shifted-clock.c'));
const jump = fileURLToPath(import.meta.resolve('./support/clock-jump.ts'));
let folder: string;
let library: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hob-clock-'));
  library = join(folder, 'shifted-clock.so');
  await run('gcc', ['-shared', '-fPIC', '-O2', '-Wall', '-Wextra', '-Werror', '-o', library, source]);
});
after(() => rm(folder, { recursive: true, force: true }));

for (const [what, ms] of [
  ['forward', 3_600_000],
  ['back', -3_600_000],
] as const) {
  test(`When the clock is set ${what} by an hour, events, schedules and keys go on, and no time comes twice`, async () => {
    const file = join(folder, what);
    await writeFile(file, Buffer.alloc(8));
    const program = ['--conditions=@hob/source', jump, file, `${ms}`];
    const env = { PATH: process.env['PATH'], LD_PRELOAD: library, HOB_TEST_CLOCK: file };
    const { stderr } = await run(process.execPath, program, { env });
    assert.equal(stderr, '');
  });
}
