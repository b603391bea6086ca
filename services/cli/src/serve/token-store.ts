import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '@hob/contracts';
import { type Static, Type } from 'typebox';
import { Check } from 'typebox/value';
import { digest, TokenHashes } from './token-hashes.ts';

const TOKEN_BYTES = 32;
const FILE_BYTES_MAX = 64 * 1024;
const tokenForm = /^[\u0021-\u007e]{16,512}$/;

const fileSchema = Type.Object({
  tokens: Type.Array(Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }), createdAt: Type.String() }), {
    minItems: 1,
  }),
});

/**
 * The server's side of tokens: `tokens.json` of the data folder, mode 0600, holds only their SHA-256. A plain hash is
 * enough, because a token is 32 random bytes (or of the operator's making, and then at least 16 characters).
 */
export class TokenStore {
  readonly #path: string;
  readonly #hashes: TokenHashes;
  /** The token in plain text, when it was made now; it is stored nowhere in the data folder. */
  readonly created: string | undefined;

  private constructor(path: string, hashes: TokenHashes, created: string | undefined) {
    this.#path = path;
    this.#hashes = hashes;
    this.created = created;
  }

  /**
   * Reads the hashes, or makes the first token, which lasts once `save` was called: a start that fails before it could
   * show the token must not have set it.
   *
   * @param given what HOB_TOKEN says: at the first start it becomes the token, later it changes nothing.
   * @throws ERR_CONFIG_INVALID for a damaged file or a token of a bad form, and what the file system gives.
   */
  static async open(dataDir: string, given: string | undefined): Promise<TokenStore> {
    const path = join(dataDir, 'tokens.json');
    const stored = await read(path);
    if (stored !== undefined) {
      const hashes = stored.tokens.map(({ sha256 }) => sha256);
      return new TokenStore(path, new TokenHashes(hashes), undefined);
    }
    if (given !== undefined && !tokenForm.test(given)) {
      throw fail('ERR_CONFIG_INVALID', ['HOB_TOKEN', 'must be 16 to 512 visible ASCII characters']);
    }
    const token = given ?? `hob_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
    return new TokenStore(path, new TokenHashes([digest(token)]), token);
  }

  /** Stores the hash of a token that was made now. */
  async save(): Promise<void> {
    if (this.created === undefined) return;
    const createdAt = new Date().toISOString();
    await write(this.#path, { tokens: [{ sha256: digest(this.created), createdAt }] });
  }

  /** Whether a token is one of ours. The time it takes does not depend on how much of it is right. */
  verify(token: string): boolean {
    return this.#hashes.verify(token);
  }

  /** SHA-256 of each token, hex. */
  get hashes(): readonly string[] {
    return this.#hashes.hashes;
  }
}

async function read(path: string): Promise<Static<typeof fileSchema> | undefined> {
  let text: string | undefined;
  try {
    text = await readPlain(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = text === undefined ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (Check(fileSchema, value)) return value;
  throw fail('ERR_CONFIG_INVALID', [path, 'is damaged; remove it, and the next start makes a new token']);
}

/** The text of a file, undefined when it is anything else: root reads this in a folder that is another user's. */
async function readPlain(path: string): Promise<string | undefined> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stat = await file.stat();
  return stat.isFile() && stat.size <= FILE_BYTES_MAX ? await file.readFile('utf8') : undefined;
}

/** Writes the file so that a crash leaves either none or a whole one. */
async function write(path: string, content: Static<typeof fileSchema>): Promise<void> {
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(content, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
