/**
 * `npm start` after set-up: starts hob, deploys every example with the `hob` command, calls each over HTTP, prints what
 * happened and keeps serving until it is told to stop. With `--once` it stops by itself; the exit code is 1 when a call
 * was not answered as expected.
 */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { callExample, type ExampleAnswer } from './example.ts';
import { HobProcess, hobMain, isTaken, listenUrl } from './hob-process.ts';

const root = resolve(import.meta.dirname, '../..');
const examples = join(root, 'functions', 'examples');
/** A terminal sends Ctrl-C to every process at once, and npm's launcher sends it on: within this time it is one. */
const SAME_SIGNAL_MS = 500;

/** What `hob deploy --json` tells of one function. */
interface Deployed {
  readonly name: string;
  readonly version: number;
  readonly bundleBytes: number;
  readonly url: string;
  readonly warnings: readonly string[];
}

/** @throws Error with what the command said */
async function deploy(folder: string, env: NodeJS.ProcessEnv): Promise<Deployed> {
  const command = [hobMain(root), 'deploy', folder, '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, command, { env, cwd: root }).catch(
    (error: Error & { stdout?: string; stderr?: string }) => {
      throw new Error(`hob deploy ${folder} failed:\n${error.stderr ?? ''}${error.stdout ?? ''}`.trimEnd());
    },
  );
  const [deployed]: Deployed[] = JSON.parse(stdout);
  if (deployed === undefined) throw new Error(`hob deploy ${folder} names no function: ${stdout}`);
  return deployed;
}

function show(answers: readonly ExampleAnswer[]): void {
  for (const { requestLine, status, start, durationMs, problems } of answers) {
    console.log(`  ${requestLine}  ${status}  ${start}  ${durationMs.toFixed(1)} ms`);
    for (const problem of problems) console.log(`    WRONG: ${problem}`);
  }
  console.log(`    ${answers[0]?.excerpt ?? ''}`);
}

/** Deploys and calls every example. @returns how many were not answered as expected */
async function showExamples(env: NodeJS.ProcessEnv): Promise<number> {
  const names = readdirSync(examples, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  let wrong = 0;
  for (const { name } of names) {
    const folder = join(examples, name);
    console.log(`\n${name}`);
    const startedMs = performance.now();
    const { version, bundleBytes, url, warnings, ...deployed } = await deploy(folder, env);
    const durationMs = Math.round(performance.now() - startedMs);
    console.log(`  deployed ${deployed.name}@${version}, ${Math.ceil(bundleBytes / 1024)} KiB, in ${durationMs} ms`);
    for (const warning of warnings) console.log(`  warning: ${warning}`);
    const first = await callExample(folder, url);
    const second = await callExample(folder, url);
    show([first, second]);
    if (first.problems.length > 0 || second.problems.length > 0) wrong += 1;
  }
  console.log(`\n${names.length - wrong} of ${names.length} examples answered as expected`);
  return wrong;
}

/** Calls `stop` for each signal to end that a person or a supervisor sends. */
function onStopSignal(stop: () => void): void {
  let lastMs = Number.NEGATIVE_INFINITY;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const nowMs = performance.now();
      if (nowMs - lastMs >= SAME_SIGNAL_MS) stop();
      lastMs = nowMs;
    });
  }
}

async function main(once: boolean): Promise<number> {
  const url = listenUrl(process.env.HOB_LISTEN);
  if (await isTaken(url)) {
    throw new Error(`something already listens at ${url.host}; stop it, or try: HOB_LISTEN=127.0.0.1:8081 npm start`);
  }
  const env = { ...process.env, HOB_URL: url.origin };
  console.log(`\nhob serve at ${url.origin}`);
  const hob = new HobProcess(root, env);
  let stopping = false;
  onStopSignal(() => {
    stopping = true;
    hob.stop();
  });
  let wrong = 1;
  try {
    await hob.ready(url);
    wrong = await showExamples(env);
  } catch (error) {
    if (!stopping) console.error(`\n${error instanceof Error ? error.message : String(error)}`);
    once = true;
  }
  if (once) hob.stop();
  else printUsage(url);
  const how = await hob.exited;
  if (how !== 0 && !stopping) console.error(`hob serve ended with ${how}`);
  return wrong === 0 && how === 0 ? 0 : 1;
}

function printUsage(url: URL): void {
  console.log(`
hob serves at ${url.origin} until Ctrl-C. In another terminal:
  curl ${url.origin}/fn/hello
  npx hob ls
  npx hob init my-function && npx hob deploy my-function && npx hob invoke my-function`);
}

const { values } = parseArgs({ options: { once: { type: 'boolean', default: false } } });
try {
  process.exitCode = await main(values.once);
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
