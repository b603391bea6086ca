// @ts-check
/** Going on in the pinned Node once set-up is done. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { toolEnvironment } from './build.mjs';
import { pinnedNode } from './dependencies.mjs';

/** @type {readonly NodeJS.Signals[]} */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a script of the repository in the pinned Node, with this process's arguments and terminal.
 *
 * @param {string} root
 * @param {string} script relative to root
 * @returns {Promise<number>} the exit code, 128 + the signal's number when a signal ended it
 */
export async function goOn(root, script) {
  const child = spawn(pinnedNode(root), ['--conditions=@hob/source', join(root, script), ...process.argv.slice(2)], {
    cwd: root,
    env: toolEnvironment(root),
    stdio: 'inherit',
  });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
