import { readFile } from 'node:fs/promises';
import type { LsmState } from './confinement.ts';
import { runLoader } from './loader.ts';

/** The profile's name in native/profiles/apparmor.profile. */
const PROFILE = 'hob-container';

const ENABLED = '/sys/module/apparmor/parameters/enabled';
const PROFILES = '/sys/kernel/security/apparmor/profiles';

/**
 * Loads hob's AppArmor profile, where AppArmor is in force. Loading it again replaces it.
 *
 * @param path of the profile's text.
 */
export async function openAppArmor(path: string): Promise<LsmState> {
  if ((await readOrEmpty(ENABLED)).trim() !== 'Y') return undefined;
  const problem = await runLoader('apparmor_parser', ['--replace', '--skip-cache', path]);
  const isLoaded = (await readOrEmpty(PROFILES)).split('\n').includes(`${PROFILE} (enforce)`);
  if (isLoaded || problem === undefined) return { labels: () => ({ apparmorProfile: PROFILE }) };
  return { lack: `AppArmor is in force, but its profile ${PROFILE} cannot be loaded: ${problem}` };
}

function readOrEmpty(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
