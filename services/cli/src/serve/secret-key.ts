import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '@hob/contracts';
import { SECRET_KEY_BYTES } from '@hob/registry';

const FILE_BYTES_MAX = 1024;
const FORMS = `${SECRET_KEY_BYTES} bytes as 64 hexadecimal digits or in base64`;

/** The key of functions' secrets. */
export interface SecretKey {
  readonly key: Buffer;
  /** What messages call the place that it is from. */
  readonly source: string;
}

/**
 * The key that HOB_SECRET_KEY says, else that of the file `secret.key` of the data folder, mode 0600, which is made when it is
 * not there.
 *
 * @throws ERR_CONFIG_INVALID for a key of a bad form, and what the file system gives.
 */
export async function readSecretKey(dataDir: string, given: string | undefined): Promise<SecretKey> {
  const path = join(dataDir, 'secret.key');
  const source = given === undefined ? path : 'HOB_SECRET_KEY';
  const key = parse(given ?? (await read(path)) ?? (await make(path)));
  if (key === undefined) throw fail('ERR_CONFIG_INVALID', [source, `must be ${FORMS}`]);
  return { key, source };
}

function parse(text: string): Buffer | undefined {
  const trimmed = text.trim();
  const key = Buffer.from(trimmed, /^[0-9a-f]{64}$/i.test(trimmed) ? 'hex' : 'base64');
  return key.byteLength === SECRET_KEY_BYTES && /^[\w+/=-]{43,64}$/.test(trimmed) ? key : undefined;
}

async function read(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = await file.stat();
    return stat.isFile() && stat.size <= FILE_BYTES_MAX ? await file.readFile('utf8') : '';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes a new key, so that a crash leaves either none or a whole one, and none that is there is ever written over. */
async function make(path: string): Promise<string> {
  const text = `${randomBytes(SECRET_KEY_BYTES).toString('base64')}\n`;
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await link(temporary, path);
  await rm(temporary);
  return text;
}
