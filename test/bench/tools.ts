import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

/** Where programs are looked for; peers get it as their whole environment. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The environment of a peer: NODE_EXTRA_CA_CERTS and its like would cost it tens of milliseconds at each start.
 */
export const peerEnvironment = { PATH } as const;

/** Absolute path of a program, or undefined. */
function findProgram(name: string): string | undefined {
  return PATH.split(':')
    .map((folder) => `${folder}/${name}`)
    .find((path) => existsSync(path));
}

/**
 * The program, installed from the Debian package of the same name when it is missing.
 *
 * @returns its path, or why it is not there.
 */
export async function needProgram(name: string): Promise<{ readonly path: string } | { readonly missing: string }> {
  const found = findProgram(name);
  if (found !== undefined) return { path: found };
  process.stderr.write(`installing ${name} …\n`);
  const said = (await aptInstall(name)) ?? ((await apt('update')) || (await aptInstall(name)));
  const installed = findProgram(name);
  return installed === undefined ? { missing: said || `apt-get installs no ${name}` } : { path: installed };
}

async function aptInstall(name: string): Promise<string | undefined> {
  const said = await apt('install', '--yes', '--no-install-recommends', name);
  return findProgram(name) === undefined ? undefined : said;
}

/** @returns the last line that apt-get said when it failed, else ''. */
async function apt(...args: string[]): Promise<string> {
  if (findProgram('apt-get') === undefined) return 'there is no apt-get';
  const env = { ...peerEnvironment, DEBIAN_FRONTEND: 'noninteractive' };
  const child = spawn('apt-get', ['--quiet', ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end();
  child.stdout.resume();
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [code] = await once(child, 'close');
  return code === 0 ? '' : (said.trimEnd().split('\n').at(-1) ?? `apt-get ${args.join(' ')} failed`);
}

/** First line of what `program --version` (or `-v`) prints. */
export function versionOf(program: string, flag = '--version'): string {
  const { stdout } = spawnSync(program, [flag], { env: peerEnvironment, encoding: 'utf8' });
  return stdout.split('\n')[0]?.trim() ?? '';
}
