#!/usr/bin/env node
// @ts-check
/**
 * The `hob` command as npm links it. It runs in any Node from 20 on and goes on in the Node that the repository pins,
 * because what follows needs newer language features. Plain JavaScript, since no build is needed to read it.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** @returns {string | undefined} the pinned Node's path, when npm has installed it */
function pinnedNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-linux-${process.arch}/package.json`);
    const node = join(dirname(manifest), 'bin', 'node');
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}

/** A young generation with room for the calls in flight: a fifth more of them each second than with Node's default. */
const heapFlag = '--max-semi-space-size=64';

/**
 * Runs the command in another Node, with the same terminal, and ends as it ends. Signals are passed on; the
 * command itself takes a signal for one when the terminal has sent it too.
 *
 * @param {string} node
 */
function goOn(node) {
  const child = spawn(node, [heapFlag, main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => {
    process.stderr.write(`error: ${node} cannot be started: ${error.message}\nhint: run npm start once\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[/** @type {NodeJS.Signals} */ (signal)];
  });
}

const node = pinnedNode();
if (node === undefined || !existsSync(main)) {
  process.stderr.write('error: hob is not built\nhint: run npm start once, in the repository\n');
  process.exitCode = 1;
} else {
  goOn(node);
}
