import { fail } from '@hob/contracts';
import type { SecretKeySource } from '@hob/registry';
import type { Environment } from '../environment.ts';
import { SecretKeyFiles } from './secret-key-files.ts';
import { givenKey } from './secret-key-form.ts';

/**
 * Where the key of functions' secrets is: in HOB_SECRET_KEY, else in files of the data folder. HOB_SECRET_KEY_PREVIOUS is the key before it.
 *
 * @throws ERR_CONFIG_INVALID for a key of a bad form, and what the file system gives.
 */
export async function openSecretKeys(dataDir: string, env: Environment): Promise<SecretKeySource> {
  const given = givenKey(env, 'HOB_SECRET_KEY');
  const former = givenKey(env, 'HOB_SECRET_KEY_PREVIOUS');
  if (given === undefined) return SecretKeyFiles.open(dataDir, former);
  return {
    name: 'HOB_SECRET_KEY',
    keys: [given],
    former,
    next: () => Promise.reject(fail('ERR_SECRET_KEY_GIVEN', [])),
    use: () => Promise.resolve(),
    forget: () => Promise.resolve(),
  };
}
