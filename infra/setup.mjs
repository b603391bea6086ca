// @ts-check
/**
 * Makes the repository ready to run: `npm start`, `npm test` and `npm run bench` do this first.
 *
 * Every step looks before it acts, so that it costs about a second when nothing is missing. It runs in any Node from
 * 20 on, because it installs the pinned one.
 */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './setup/build.mjs';
import { run } from './setup/command.mjs';
import { installPackages, neededPackages } from './setup/debian-packages.mjs';
import { installDependencies, pinnedNode } from './setup/dependencies.mjs';
import { prepareGuests } from './setup/guest-kernel.mjs';
import { checkPlatform } from './setup/platform.mjs';
import { explain, step } from './setup/progress.mjs';

/** The repository's top folder. */
export const root = realpathSync(fileURLToPath(new URL('..', import.meta.url)));

/**
 * Does what is missing. When something fails it is explained, with the command that would help.
 *
 * @param {{ guests?: boolean }} [wanted] guests: also what tests in guest kernels need
 * @returns {Promise<boolean>} whether everything is ready
 */
export async function setUp({ guests = false } = {}) {
  console.log('set-up');
  try {
    await step('platform', () =>
      checkPlatform({
        platform: process.platform,
        arch: process.arch,
        uid: process.getuid?.(),
        nodeVersion: process.versions.node,
      }),
    );
    await step('npm dependencies', (activity) => installDependencies(root, activity));
    await step('Debian packages', (activity) => installPackages(neededPackages, activity));
    await step('build', (activity) => build(root, activity));
    await step('root filesystem', async (activity) => {
      activity('copying named files of this host');
      const command = [pinnedNode(root), join(root, 'infra', 'rootfs', 'main.ts')];
      return (await run(command, { cwd: root, remedy: command.join(' ') })).trim();
    });
    if (guests) await step('guest kernel', (activity) => prepareGuests(root, activity));
    return true;
  } catch (error) {
    explain(error);
    return false;
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = (await setUp()) ? 0 : 1;
}
