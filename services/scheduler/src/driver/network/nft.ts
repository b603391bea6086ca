import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '@hob/contracts';

const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const OUTPUT_CHARS_MAX = 4096;

/** The nft program. @param places folders to look in. @throws ERR_NATIVE_UNSUPPORTED when it is not installed. */
export function findNft(places: readonly string[] = folders): string {
  const path = places.map((folder) => join(folder, 'nft')).find((file) => existsSync(file));
  if (path !== undefined) return path;
  throw fail('ERR_NATIVE_UNSUPPORTED', ['egress needs nft, which is not installed', 'apt-get install nftables']);
}

/**
 * Loads a ruleset in the network namespace that the calling thread is in when this is called.
 *
 * @throws ERR_NATIVE_SYSCALL with what nft said; nothing of the ruleset is in force then.
 */
export function loadRuleset(nft: string, ruleset: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(nft, ['-f', '-'], { cwd: '/', env: {}, stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, OUTPUT_CHARS_MAX);
  });
  child.stdin.on('error', () => undefined); // it ended early, and says why
  child.stdin.end(ruleset);
  child.once('error', (cause) => reject(fail('ERR_NATIVE_SYSCALL', ['nft', cause.message], { cause })));
  child.once('close', (code) => {
    if (code === 0) resolve();
    else reject(fail('ERR_NATIVE_SYSCALL', ['nft', said.trim() || `exit code ${code}`]));
  });
  return promise;
}
