// @ts-check
/** What hob cannot do without and set-up cannot install: the kind of machine, and being root. */
import { SetupError } from './command.mjs';

const NODE_MAJOR_MIN = 20;

/**
 * @param {{ platform: string, arch: string, uid: number | undefined, nodeVersion: string }} host
 * @returns {string} a description of the host
 * @throws {SetupError}
 */
export function checkPlatform(host) {
  if (host.platform !== 'linux' || (host.arch !== 'x64' && host.arch !== 'arm64')) {
    throw new SetupError(`hob runs on Linux on x64 or arm64, this is ${host.platform} on ${host.arch}`, {
      remedy: 'run it on such a machine, or in a virtual one',
    });
  }
  if (Number.parseInt(host.nodeVersion, 10) < NODE_MAJOR_MIN) {
    throw new SetupError(`Node ${NODE_MAJOR_MIN} or newer is needed, this is ${host.nodeVersion}`, {
      remedy: 'install a newer Node: https://nodejs.org/en/download',
    });
  }
  if (host.uid !== 0) {
    throw new SetupError('containers are made by root, and this is another user', { remedy: 'sudo npm start' });
  }
  return `linux ${host.arch}, root, Node ${host.nodeVersion}`;
}
