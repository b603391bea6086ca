import type { FunctionConfig, FunctionVersion } from '@hob/contracts';
import type { Registry } from '../../src/index.ts';

/** Makes a version and makes it live. */
export async function deployLive(registry: Registry, config: FunctionConfig, digest: string): Promise<FunctionVersion> {
  const version = await registry.deploy(config, digest);
  await registry.promote(version.name, version.version);
  return version;
}
