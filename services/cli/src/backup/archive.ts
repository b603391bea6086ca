import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { systemPath } from '../doctor/finding.ts';

/** What a program of the system did not do. Its message is what the program said. */
export class ProgramError extends Error {}

/** What is in a data folder while hob runs, or can be made again: in no archive, and no data. */
export const notData = ['cache', 'lock', 'restoring', 'gateway.sock'] as const;

/** Writes a folder as a compressed tar to an open file. @throws ProgramError */
export async function pack(folder: string, archiveFd: number): Promise<void> {
  const excluded = notData.map((name) => `--exclude=./${name}`);
  const options = ['--create', '--gzip', '--numeric-owner', '--anchored', ...excluded, `--directory=${folder}`, '.'];
  await run('tar', options, ['ignore', archiveFd]);
}

/** Unpacks what `pack` wrote into a folder; all of it then belongs to this process's user. @throws ProgramError */
export async function unpack(archiveFd: number, folder: string): Promise<void> {
  await run('tar', ['--extract', '--gzip', '--no-same-owner', `--directory=${folder}`], [archiveFd, 'ignore']);
}

/** Has everything of the file system that a folder is in written to the disk. @throws ProgramError */
export async function flush(folder: string): Promise<void> {
  await run('sync', ['--file-system', folder], ['ignore', 'ignore']);
}

async function run(
  program: string,
  options: readonly string[],
  [stdin, stdout]: readonly [number | 'ignore', number | 'ignore'],
): Promise<void> {
  const child = spawn(program, options, { stdio: [stdin, stdout, 'pipe'], env: { PATH: systemPath, LC_ALL: 'C' } });
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? ''));
  });
  const [code, said] = await Promise.all([ended, child.stderr === null ? '' : text(child.stderr)]);
  if (code === 0) return;
  const lines = said.trim().split('\n').slice(0, 3).join(' / ');
  throw new ProgramError(lines === '' ? `${program} ended with ${code}` : lines);
}
