/** What a container's own memory holds: nothing of the server's, and nothing of another function. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type FunctionSettings, writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

interface Findings {
  readonly memory: readonly string[];
  readonly heap: readonly string[];
  readonly environment: readonly string[];
  readonly memoryBytes: number;
  readonly heapBytes: number;
}

const secretsFolder = join(import.meta.dirname, 'functions/secrets');
const MiB = 1024 * 1024;

/** Texts that are nowhere else on this machine. */
function canary(label: string): string {
  return `${label}-${randomBytes(24).toString('hex')}`;
}

test("a container's whole memory, heap and environment hold no secret of the server and nothing of another function", async () => {
  await using folder = await TemporaryFolder.create('secrecy');
  const planted = {
    'variable of the server': canary('server'),
    "another function's code": canary('code'),
    "another function's variable": canary('variable'),
    "another function's request": canary('request'),
    "another function's response": canary('response'),
    "another function's output": canary('output'),
    "another function's asset": canary('asset'),
  };
  const own = canary('own');
  await using hob = await HobServer.create({ env: { CANARY: planted['variable of the server'] } });

  const other = await writeFunction(
    join(folder.path, 'other'),
    { name: 'other', env: { SECRET: planted["another function's variable"] }, assets: ['asset.txt'] },
    `const code = '${planted["another function's code"]}';
     import { readFileSync } from 'node:fs';
     export default async (request: Request) => {
       const parts = (await request.text()).split(' ');
       console.log(parts[1], code.length, readFileSync('/var/task/asset.txt', 'utf8').length);
       return new Response(parts[2]);
     };`,
  );
  await writeFile(join(other, 'asset.txt'), planted["another function's asset"]);
  const searcher = await writeFunction(
    join(folder.path, 'secrets'),
    { ...(JSON.parse(await readFile(join(secretsFolder, 'hob.json'), 'utf8')) as FunctionSettings), env: { OWN: own } },
    await readFile(join(secretsFolder, 'index.ts'), 'utf8'),
  );
  await hob.deploy(other, searcher);
  const {
    "another function's request": request,
    "another function's output": output,
    "another function's response": response,
  } = planted;
  // Often enough that its own container, the code cache's and the pool have all been used.
  for (let round = 0; round < 5; round += 1) {
    const answer = await hob.fn('other', { body: `${request} ${output} ${response}` });
    assert.equal(answer.body.toString('utf8'), response);
  }
  await until('its output is stored', async () => (await hob.hob(['logs', 'other'])).stdout.includes(output));

  const needles = {
    ...planted,
    "the server's token": hob.token,
    "the token's digest": createHash('sha256').update(hob.token).digest('hex'),
    "the server's data folder": hob.dataDir,
    'its own variable': own,
  };
  const body = JSON.stringify(
    Object.entries(needles).map(([name, text]) => {
      const half = Math.floor(text.length / 2);
      return { name, halves: [text.slice(0, half), text.slice(half)] };
    }),
  );
  const search = async (): Promise<Findings> => {
    const answer = await hob.fn('secrets', { body });
    assert.equal(answer.status, 200, answer.body.toString('utf8'));
    return JSON.parse(answer.body.toString('utf8')) as Findings;
  };
  for (const round of ['a container from the pool', 'the same one, warm']) {
    const { memory, heap, environment, memoryBytes, heapBytes } = await search();
    // It finds what is there, so it would have found the others.
    assert.deepEqual({ memory, heap, environment }, only('its own variable'), round);
    assert.ok(memoryBytes > 50 * MiB && heapBytes > MiB, `${memoryBytes} and ${heapBytes} bytes were searched`);
  }
});

function only(name: string): Pick<Findings, 'memory' | 'heap' | 'environment'> {
  return { memory: [name], heap: [name], environment: [name] };
}
