import type { Command } from 'commander';
import { variable } from '../environment.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';

interface BackupOptions {
  readonly json?: true;
}

/** Adds `hob backup` and `hob restore`. */
export function addBackup(program: Command, tools: Tools): void {
  const backup = program
    .command('backup')
    .description(
      'Write all data of HOB_DATA_DIR, the key of the secrets too, to a new file. Stop hob before. What is in a Redis of yours (HOB_REDIS_URL) is not in it.',
    )
    .argument('<file>', 'a file that does not exist yet')
    .action((file: string, options: BackupOptions) => backUpTo(tools, file, options));
  complete(backup, [['hob backup hob.tar.gz', 'keep it as safe as the secrets in it']]);
  const restore = program
    .command('restore')
    .description('Fill HOB_DATA_DIR, which must be without data, with what "hob backup" wrote. Stop hob before.')
    .argument('<file>', 'what "hob backup" wrote')
    .action((file: string, options: BackupOptions) => restoreFrom(tools, file, options));
  complete(restore, [['HOB_DATA_DIR=/srv/hob hob restore hob.tar.gz', 'then "hob serve" with the same HOB_DATA_DIR']]);
}

async function backUpTo(tools: Tools, file: string, { json }: BackupOptions): Promise<void> {
  const { terminal, env } = tools;
  const dataDir = dataFolder(tools);
  const redis = await foreignRedis(tools);
  const { backUp } = await import('../backup/back-up.ts');
  const { givenKeyId } = await import('../serve/secret-key-form.ts');
  const keyId = givenKeyId(env);
  const bytes = await terminal.progress(`backing up ${dataDir}`, () => backUp(dataDir, file));
  if (json) await terminal.json({ file, bytes, dataDir, ...(redis && { notInFile: redis }) });
  else await terminal.result(`wrote ${file}, ${bytes} bytes`);
  if (redis !== undefined) {
    terminal.note(
      `HOB_REDIS_URL is set: functions, events and secrets are in that Redis, and not in this file; back up its keys ${redis.keys} too (${redis.url})`,
    );
  }
  if (keyId !== undefined) {
    terminal.note(
      `HOB_SECRET_KEY is set: that key of the secrets, ${keyId}, is not in this file, and is needed with it`,
    );
  }
}

async function restoreFrom(tools: Tools, file: string, { json }: BackupOptions): Promise<void> {
  const dataDir = dataFolder(tools);
  const { restore } = await import('../backup/restore.ts');
  await tools.terminal.progress(`restoring ${dataDir}`, () => restore(file, dataDir));
  if (json) await tools.terminal.json({ file, dataDir });
  else await tools.terminal.result(`restored ${dataDir}`);
}

/** What a backup leaves to the operator, without passwords. */
async function foreignRedis({ env }: Tools): Promise<{ url: string; keys: string } | undefined> {
  const url = variable(env, 'HOB_REDIS_URL');
  if (url === undefined) return undefined;
  const { RedisTarget } = await import('@hob/redis/target');
  const redis = RedisTarget.parse(url, variable(env, 'HOB_REDIS_PREFIX'));
  return { url: String(redis), keys: redis.key('*') };
}

function dataFolder({ env }: Tools): string {
  return variable(env, 'HOB_DATA_DIR') ?? '/var/lib/hob';
}
