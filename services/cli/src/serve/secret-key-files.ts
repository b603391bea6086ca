import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import fsPromises from 'node:fs/promises';
import { join } from 'node:path';
import { SECRET_KEY_BYTES, type SecretKeySource } from '@hob/registry';
import { secretKey } from './secret-key-form.ts';

/** What of `node:fs/promises` is needed, so that each step can be made to fail. */
export type SecretKeyFs = Pick<typeof fsPromises, 'open' | 'rename' | 'rm'>;

const FILE_BYTES_MAX = 1024;

/** A file may have each of these keys; the first is the one in use. */
const ROLES = ['current', 'next', 'former'] as const;
type Role = (typeof ROLES)[number];

/**
 * The key of functions' secrets as files of the data folder, mode 0600: `secret.key` is the one in use. `secret.key.next` is there while it is
 * being replaced, and `secret.key.previous` from then until the next start.
 *
 * A file is written aside, brought to the disk and renamed, so a crash leaves each of them whole or not at all; and at every moment the
 * key that Redis needs is in one of them.
 */
export class SecretKeyFiles implements SecretKeySource {
  readonly name: string;
  readonly former: Buffer | undefined;
  readonly #folder: string;
  readonly #fs: SecretKeyFs;
  readonly #kept = new Map<Role, Buffer>();

  private constructor(folder: string, former: Buffer | undefined, fs: SecretKeyFs) {
    this.name = join(folder, 'secret.key');
    this.former = former;
    this.#folder = folder;
    this.#fs = fs;
  }

  /**
   * Reads the files that there are.
   *
   * @param former the key before these, from elsewhere.
   * @throws ERR_CONFIG_INVALID for a file that is no key, and what the file system gives.
   */
  static async open(folder: string, former?: Buffer, fs: SecretKeyFs = fsPromises): Promise<SecretKeyFiles> {
    const files = new SecretKeyFiles(folder, former, fs);
    for (const role of ROLES) {
      const key = await files.#read(role);
      if (key !== undefined) files.#kept.set(role, key);
    }
    return files;
  }

  get keys(): readonly Buffer[] {
    return ROLES.flatMap((role) => this.#kept.get(role) ?? []);
  }

  async next(): Promise<Buffer> {
    const begun = this.#kept.get('next');
    if (begun !== undefined && !this.#isCurrent('next')) return begun;
    const key = randomBytes(SECRET_KEY_BYTES);
    await this.#write('next', key);
    return key;
  }

  async use(key: Buffer): Promise<void> {
    const role = ROLES.find((each) => this.#kept.get(each)?.equals(key));
    const current = this.#kept.get('current');
    if (role === undefined || role === 'current') return;
    // The other one may be needed again, when Redis loses what it was told.
    if (current !== undefined) await this.#write(role === 'next' ? 'former' : 'next', current);
    await this.#write('current', key);
    await this.#remove(role);
  }

  async forget(): Promise<void> {
    if (this.#kept.has('former')) await this.#remove('former');
    // It has become the one in use, and was not removed.
    if (this.#isCurrent('next')) await this.#remove('next');
  }

  #isCurrent(role: Role): boolean {
    const current = this.#kept.get('current');
    return current !== undefined && this.#kept.get(role)?.equals(current) === true;
  }

  #path(role: Role): string {
    return join(this.#folder, { current: 'secret.key', next: 'secret.key.next', former: 'secret.key.previous' }[role]);
  }

  async #read(role: Role): Promise<Buffer | undefined> {
    const path = this.#path(role);
    try {
      await using file = await this.#fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const stat = await file.stat();
      return secretKey(stat.isFile() && stat.size <= FILE_BYTES_MAX ? await file.readFile('utf8') : '', path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #write(role: Role, key: Buffer): Promise<void> {
    const temporary = join(this.#folder, 'secret.key.new');
    await this.#fs.rm(temporary, { force: true });
    const file = await this.#fs.open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${key.toString('base64')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#fs.rename(temporary, this.#path(role));
    await this.#sync();
    this.#kept.set(role, key);
  }

  async #remove(role: Role): Promise<void> {
    await this.#fs.rm(this.#path(role), { force: true });
    this.#kept.delete(role);
    await this.#sync();
  }

  /** Has the folder's names outlast a power cut. */
  async #sync(): Promise<void> {
    await using folder = await this.#fs.open(this.#folder, constants.O_RDONLY | constants.O_DIRECTORY);
    await folder.sync();
  }
}
