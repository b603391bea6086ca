import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { rules, tidyProblems } from '../tidy.ts';
import { importsOf } from '../tidy/import-direction.ts';
import { Repository } from '../tidy/repository.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A small repository in which every rule holds. */
const good: Readonly<Record<string, string>> = {
  'package.json': '{"name":"hob"}',
  'package-lock.json': '{"packages":{"node_modules/a":{"version":"1.0.0","integrity":"sha512-x"}}}',
  'services/contracts/package.json': '{"name":"@hob/contracts"}',
  'services/contracts/src/catalogue/caller-errors.ts':
    'export const callerErrors = {\n  ERR_FN_GONE: {\n    http: 404,\n  },\n};\n',
  'services/gateway/package.json': '{"name":"@hob/gateway"}',
  'services/gateway/src/metrics.ts':
    "import { fail } from '@hob/contracts';\nmake('hob_calls_total');\nfail('ERR_FN_GONE', []);\n",
  'services/gateway/test/metrics.test.ts': "import '../src/metrics.ts';\n",
  'services/scheduler/package.json': '{"name":"@hob/scheduler"}',
  'services/scheduler/src/pool.ts': "import { fork } from '@hob/native';\n",
  'services/cli/package.json': '{"name":"@hob/cli"}',
  'services/cli/src/main.ts': "import { Gateway } from '@hob/gateway';\nstart(process.env);\n",
  'native/package.json': '{"name":"@hob/native"}',
  'native/ts/library.ts': "import koffi from 'koffi';\n",
  'functions/examples/hello/package.json': '{"name":"@hob/example-hello"}',
  'functions/examples/hello/index.ts': "import { Hono } from 'hono';\nexport default process.env;\n",
  'infra/grafana/hob.json': '{"expr":"rate(hob_calls_total[5m])"}',
  'test/package.json': '{"name":"@hob/test"}',
  'test/SPECIFICATION.md':
    '# Promises\n\n| promise | test |\n|---|---|\n| calls are counted | services/gateway/test/metrics.test.ts |\n',
};

function problemsWith(changes: Readonly<Record<string, string>>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'hob-tidy-'));
  folders.push(root);
  for (const [name, text] of Object.entries({ ...good, ...changes })) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  execFileSync('git', ['init', '--quiet', root]);
  return tidyProblems(new Repository(root));
}

test('tidyProblems finds nothing in a repository that keeps the rules', () => {
  assert.deepEqual(problemsWith({}), []);
});

const word = ['TO', 'DO'].join(''); // not to be found in this file
const catalogue = good['services/contracts/src/catalogue/caller-errors.ts'] ?? '';

/** What breaks a rule: the rule, the files that break it, and what the complaint says. */
const broken: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  ['top-level', { 'scripts/x.sh': 'true\n' }, /scripts\/ is no folder/],
  ['top-level', { 'notes.txt': 'x\n' }, /notes\.txt does not belong/],
  ['source-text', { 'native/src/long.c': 'int x;\n'.repeat(401) }, /long\.c: 401 lines/],
  ['source-text', { 'native/src/a.c': `\n/* ${word} */\n` }, /a\.c:2: TO[D]O is left/],
  ['source-text', { 'services/gateway/src/a.ts': 'f(process.env.HOME);\n' }, /process\.env/],
  ['source-text', { 'services/gateway/src/lost.test.ts': '\n' }, /does not find a test file/],
  [
    'import-direction',
    { 'services/gateway/src/a.ts': "import { P } from '@hob/scheduler';\n" },
    /must not import @hob\/scheduler/,
  ],
  [
    'import-direction',
    { 'services/gateway/src/a.ts': "export * from '../../scheduler/src/pool.ts';\n" },
    /leaves services\/gateway/,
  ],
  [
    'import-direction',
    { 'services/contracts/src/a.ts': "import type { N } from '@hob/native';\n" },
    /must not import @hob\/native/,
  ],
  [
    'import-direction',
    { 'services/gateway/src/a.ts': "const n = await import('@hob/registry');\n" },
    /must not import @hob\/registry/,
  ],
  [
    'import-direction',
    { 'services/gateway/src/a.ts': "import { RedisTarget } from '@hob/redis';\n" },
    /must not import @hob\/redis/,
  ],
  [
    'import-direction',
    { 'test/e2e/a.ts': "import {\n  f,\n} from '../../native/ts/library.ts';\n" },
    /a\.ts:3: .*leaves test/,
  ],
  ['import-direction', { 'services/scheduler/src/a.ts': "import koffi from 'koffi';\n" }, /koffi is imported outside/],
  [
    'import-direction',
    { 'functions/examples/hello/index.ts': "import { x } from '@hob/contracts';\n" },
    /must not import/,
  ],
  [
    'error-codes',
    { 'services/contracts/src/catalogue/caller-errors.ts': catalogue.replace('};', '  ERR_NEVER: {\n  },\n};') },
    /ERR_NEVER is used nowhere/,
  ],
  [
    'error-codes',
    { 'services/gateway/src/a.ts': "fail('ERR_FN_UNHEARD', []);\n" },
    /a\.ts:1: ERR_FN_UNHEARD is not in/,
  ],
  ['error-codes', { 'services/gateway/README.md': 'Answers ERR_FN_GOONE.\n' }, /README\.md:1: ERR_FN_GOONE/],
  [
    'error-codes',
    { 'services/contracts/src/catalogue/caller-errors.ts': 'export const callerErrors = {};\n' },
    /no codes that this rule can read/,
  ],
  ['metric-names', { 'infra/grafana/hob.json': '{"expr":"hob_cals_total"}' }, /no metric is called hob_cals_total/],
  ['specification', { 'test/SPECIFICATION.md': '- it works: test/e2e/no.test.ts\n' }, /no\.test\.ts does not exist/],
  ['specification', { 'test/SPECIFICATION.md': '- it works\n' }, /no test file is named/],
  ['specification', { 'test/SPECIFICATION.md': '# Promises\n' }, /has no promise/],
  [
    'lockfile',
    { 'services/cli/package.json': '{"dependencies":{"x":"1.0.0"}}' },
    /dependencies differ from those of services\/cli/,
  ],
  [
    'lockfile',
    {
      'package-lock.json':
        '{"packages":{"node_modules/a":{"resolved":"https://mirror.example/a.tgz","integrity":"x"}}}',
    },
    /registry's address/,
  ],
  ['lockfile', { 'package-lock.json': '{"packages":{"node_modules/a":{"version":"1.0.0"}}}' }, /has no integrity/],
];

for (const [rule, changes, complaint] of broken) {
  test(`tidy ${rule} complains: ${complaint.source}`, () => {
    const problems = problemsWith(changes);
    assert.ok(
      problems.some((problem) => problem.startsWith(`${rule}: `) && complaint.test(problem)),
      `among: ${problems.join('\n')}`,
    );
  });
}

test('tidy has a broken example for every rule', () => {
  assert.deepEqual(new Set(broken.map(([rule]) => rule)), new Set(Object.keys(rules)));
});

test('tidy specification accepts a promise whose test is honestly pending', () => {
  assert.deepEqual(problemsWith({ 'test/SPECIFICATION.md': '- it works: test pending\n' }), []);
});

test('importsOf reads every form of import and nothing from comments or other calls', () => {
  const text = `import a from 'a';
import {
  b,
} from 'b';
import 'c';
export { d } from 'd';
const e = await import('e');
const f = require('f');
/* text that says from 'g' */ call('h');
`;
  assert.deepEqual(
    importsOf(text)
      .map((each) => each.specifier)
      .toSorted(),
    ['a', 'b', 'c', 'd', 'e', 'f'],
  );
});
