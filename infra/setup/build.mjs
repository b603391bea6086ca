// @ts-check
/** The build: native library, TypeScript, runtime shims. turbo knows what is current. */
import { delimiter, dirname, join } from 'node:path';
import { run } from './command.mjs';
import { pinnedNode } from './dependencies.mjs';

/**
 * @param {string} root
 * @param {import('./progress.mjs').Activity} activity
 */
export async function build(root, activity) {
  const output = await run([join(root, 'node_modules', '.bin', 'turbo'), 'run', 'build', '--output-logs=new-only'], {
    cwd: root,
    env: toolEnvironment(root),
    remedy: 'npm run build',
    onLine: activity,
  });
  const tasks = /Tasks:\s+(\d+) successful/.exec(output)?.[1] ?? '0';
  const cached = /Cached:\s+(\d+) cached/.exec(output)?.[1] ?? '0';
  return tasks === cached
    ? `${tasks} packages current`
    : `${Number(tasks) - Number(cached)} of ${tasks} packages built`;
}

/**
 * An environment in which the repository's tools run in the pinned Node and send nothing to anybody.
 *
 * @param {string} root
 * @returns {NodeJS.ProcessEnv}
 */
export function toolEnvironment(root) {
  return {
    ...process.env,
    PATH: [dirname(pinnedNode(root)), join(root, 'node_modules', '.bin'), process.env.PATH ?? ''].join(delimiter),
    npm_config_loglevel: 'error',
    DO_NOT_TRACK: '1',
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
  };
}
