import { createHash } from 'node:crypto';
import {
  type AliasChange,
  type BundleManifest,
  bundleDigest,
  type BundleStore,
  fail,
  type FunctionAlias,
  type FunctionConfig,
  type FunctionDirectory,
  type FunctionSummary,
  type FunctionVersion,
  type HobError,
  type Lesson,
  type LessonCall,
  type LogChoice,
  type LogLine,
  type LogStore,
  type SchedulerControl,
  type SchedulerSnapshot,
  type SecretDirectory,
  type SecretKeyNote,
  type SecretNote,
  type StartFailure,
  type Succession,
} from '@hob/contracts';

/** A configuration with all its defaults. */
export function configOf(name: string, more: Partial<FunctionConfig> = {}): FunctionConfig {
  const limits = { memoryMb: 256, cpu: 1, timeoutMs: 30_000, concurrency: 1, maxContainers: 16, nofile: 1024 };
  const sizes = { tmpMb: 64, responseBytesMax: 2 ** 30 };
  return {
    name,
    runtime: 'nodejs24.x',
    entry: 'index.ts',
    ...limits,
    ...sizes,
    env: {},
    auth: 'open',
    assets: [],
    egress: 'none',
    ...more,
  };
}

/** Functions in memory. */
export class FakeDirectory implements FunctionDirectory {
  readonly #functions = new Map<string, FunctionVersion[]>();
  readonly #aliases = new Map<string, Map<string, FunctionAlias>>();
  /** What `resolve` was asked. */
  readonly asked: { readonly qualifier: number | string | undefined; readonly headers: readonly string[] }[] = [];

  /** Makes a version, and makes it live. */
  add(config: FunctionConfig, digest?: string): FunctionVersion {
    const version = this.#add(config, digest);
    this.#set(config.name, 'live', { weights: [{ version: version.version, weight: 100 }] });
    return version;
  }

  #add(config: FunctionConfig, digest = 'd'.repeat(64)): FunctionVersion {
    const versions = this.#functions.get(config.name) ?? [];
    const version = {
      name: config.name,
      version: versions.length + 1,
      digest,
      config,
      bundleBytes: 10,
      hasAssets: false,
      createdAt: '2026-01-01T00:00:00.000Z',
    };
    this.#functions.set(config.name, [...versions, version]);
    return version;
  }

  resolve(name: string, qualifier?: number | string, headers: readonly string[] = []): FunctionVersion {
    this.asked.push({ qualifier, headers });
    const versions = this.#versions(name);
    const alias = typeof qualifier === 'number' ? undefined : this.#aliases.get(name)?.get(qualifier ?? 'live');
    const number = typeof qualifier === 'number' ? qualifier : alias?.weights[0]?.version;
    if (number === undefined) throw fail('ERR_FN_ALIAS_NOT_FOUND', [name, String(qualifier)]);
    const found = versions.find((entry) => entry.version === number);
    if (found === undefined) throw fail('ERR_FN_VERSION_NOT_FOUND', [name, String(number)]);
    return found;
  }

  list(): readonly FunctionSummary[] {
    return [...this.#functions.keys()].map((name) => this.describe(name).summary);
  }

  describe(name: string): { readonly summary: FunctionSummary; readonly versions: readonly FunctionVersion[] } {
    const versions = this.#versions(name);
    const numbers = versions.map((version) => version.version);
    const aliases = [...(this.#aliases.get(name)?.values() ?? [])];
    const live = aliases.find((alias) => alias.name === 'live')?.weights[0]?.version;
    return {
      summary: { name, live: versions.find((each) => each.version === live), versions: numbers, aliases },
      versions,
    };
  }

  deploy(config: FunctionConfig, digest: string): Promise<FunctionVersion> {
    return Promise.resolve(this.#add(config, digest));
  }

  /** `name@version` of each deploy that is over. */
  readonly settled: string[] = [];

  settle({ name, version }: Pick<FunctionVersion, 'name' | 'version'>): Promise<void> {
    this.settled.push(`${name}@${version}`);
    return Promise.resolve();
  }

  promote(name: string, version: number): Promise<FunctionAlias> {
    return Promise.resolve(this.#set(name, 'live', { weights: [{ version, weight: 100 }] }));
  }

  setAlias(name: string, alias: string, change: AliasChange): Promise<FunctionAlias> {
    return Promise.resolve(this.#set(name, alias, change));
  }

  removeAlias(name: string, alias: string): Promise<void> {
    if (!this.#aliases.get(name)?.delete(alias)) throw fail('ERR_FN_ALIAS_NOT_FOUND', [name, alias]);
    return Promise.resolve();
  }

  rollback(name: string): Promise<FunctionAlias> {
    const [before] = this.#versions(name);
    return Promise.resolve(this.#set(name, 'live', { weights: [{ version: before?.version ?? 0, weight: 100 }] }));
  }

  inService(name: string): readonly FunctionVersion[] {
    const { summary, versions } = this.describe(name);
    const named = new Set(summary.aliases.flatMap(({ weights }) => weights.map(({ version }) => version)));
    return versions.filter(({ version }) => named.has(version));
  }

  remove(name: string): Promise<void> {
    this.#versions(name);
    this.#functions.delete(name);
    this.#aliases.delete(name);
    return Promise.resolve();
  }

  #set(name: string, alias: string, { weights, sticky = 'header:hob-sticky' }: AliasChange): FunctionAlias {
    const set = { name: alias, weights, sticky, updatedAt: '2026-01-01T00:00:00.000Z' };
    const aliases = this.#aliases.get(name) ?? new Map<string, FunctionAlias>();
    this.#aliases.set(name, aliases.set(alias, set));
    return set;
  }

  #versions(name: string): FunctionVersion[] {
    const versions = this.#functions.get(name);
    if (versions === undefined) throw fail('ERR_FN_NOT_FOUND', [name]);
    return versions;
  }
}

/** Secrets in memory. */
export class FakeSecrets implements SecretDirectory {
  /** By function and secret. */
  readonly values = new Map<string, string>();

  list(functionName: string): readonly SecretNote[] {
    const prefix = `${functionName}/`;
    const names = [...this.values.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length));
    return names.toSorted((a, b) => (a < b ? -1 : 1)).map((name) => ({ name, updatedAt: '2026-01-01T00:00:00.000Z' }));
  }

  missing({ name, secrets = [] }: FunctionConfig): readonly string[] {
    return secrets.filter((secret) => !this.values.has(`${name}/${secret}`));
  }

  set(functionName: string, secret: string, value: string): Promise<SecretNote> {
    this.values.set(`${functionName}/${secret}`, value);
    return Promise.resolve({ name: secret, updatedAt: '2026-01-01T00:00:00.000Z' });
  }

  rotateKey(): Promise<SecretKeyNote> {
    return Promise.resolve({ key: 'new', former: 'old', secrets: this.values.size });
  }

  async remove(functionName: string, secret: string): Promise<void> {
    if (!this.values.delete(`${functionName}/${secret}`)) throw fail('ERR_SECRET_NOT_FOUND', [functionName, secret]);
  }

  async removeAll(functionName: string): Promise<void> {
    for (const { name } of this.list(functionName)) this.values.delete(`${functionName}/${name}`);
  }
}

async function bytesOf(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Bundles in memory, checked as the real store checks them. */
export class FakeBundleStore implements BundleStore {
  readonly files = new Map<string, Buffer>();
  /** Set: a file's content is not read. */
  skipContent = false;

  async add(
    manifest: BundleManifest,
    files: AsyncIterable<{ readonly path: string; readonly content: AsyncIterable<Uint8Array> }>,
  ): Promise<string> {
    const expected = new Map(manifest.files.map((file) => [file.path, file]));
    for await (const { path, content } of files) {
      const file = expected.get(path);
      if (file === undefined) throw fail('ERR_BUNDLE_INVALID', [`${path} is not in the manifest`]);
      expected.delete(path);
      if (this.skipContent) continue;
      const bytes = await bytesOf(content);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      if (sha256 !== file.sha256) throw fail('ERR_BUNDLE_INVALID', [`${path} has another digest`]);
      this.files.set(path, bytes);
    }
    if (expected.size > 0) throw fail('ERR_BUNDLE_INVALID', [`${expected.size} files are missing`]);
    return bundleDigest(manifest);
  }

  has(): Promise<boolean> {
    return Promise.resolve(false);
  }

  manifest(): Promise<BundleManifest> {
    return Promise.resolve({ files: [{ path: 'index.mjs', bytes: 10, sha256: 'e'.repeat(64) }] });
  }

  folder(digest: string): string {
    return `/nowhere/${digest}`;
  }
}

/** Logs in memory. */
export class FakeLogStore implements LogStore {
  readonly lines: LogLine[] = [];
  /** How many `follow` iterations are open. */
  following = 0;
  #wake = Promise.withResolvers<void>();

  append(line: LogLine): void {
    this.lines.push(line);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  read(functionName: string, { tail, channel }: LogChoice): Promise<LogLine[]> {
    const lines = this.lines.filter((line) => {
      return line.function === functionName && (channel === undefined || line.channel === channel);
    });
    return Promise.resolve(tail === 0 ? [] : lines.slice(-tail));
  }

  async *follow(functionName: string, choice: LogChoice, signal: AbortSignal): AsyncGenerator<LogLine> {
    this.following += 1;
    try {
      yield* await this.read(functionName, choice);
      let at = this.lines.length;
      const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      while (!signal.aborted) {
        await Promise.race([this.#wake.promise, aborted]);
        for (; at < this.lines.length; at++) yield this.lines[at] as LogLine;
      }
    } finally {
      this.following -= 1;
    }
  }
}

/** A scheduler that only says what the test told it. */
export class FakeControl implements SchedulerControl {
  current: SchedulerSnapshot = { pools: [], functions: [], zygotes: [] };
  snapshots = 0;
  readonly replacedVersions: FunctionVersion[] = [];
  readonly removedNames: string[] = [];
  readonly lessons: { readonly version: FunctionVersion; readonly calls: readonly LessonCall[] }[] = [];
  /** Codes of what lessons were cut short with. */
  readonly lessonsCut: string[] = [];
  /** What a lesson gives; undefined: it goes on until it is cut short. */
  lesson: Lesson | undefined = { systemCalls: [], calls: [] };

  async learn(version: FunctionVersion, calls: readonly LessonCall[], signal: AbortSignal): Promise<Lesson> {
    this.lessons.push({ version, calls });
    if (this.lesson !== undefined) return this.lesson;
    return new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        const reason = signal.reason as HobError;
        this.lessonsCut.push(reason.code);
        reject(reason);
      }),
    );
  }

  snapshot(): Promise<SchedulerSnapshot> {
    this.snapshots += 1;
    return Promise.resolve(this.current);
  }

  /** What `prove` gives. */
  startFailure: StartFailure | undefined;
  readonly proven: FunctionVersion[] = [];
  /** With each version that became live, the others in service. */
  readonly others: (readonly FunctionVersion[])[] = [];

  /** With each proven version, whose calls it takes. */
  readonly successions: (Succession | undefined)[] = [];

  prove(version: FunctionVersion, succession?: Succession): Promise<StartFailure | undefined> {
    this.proven.push(version);
    this.successions.push(succession);
    return Promise.resolve(this.startFailure);
  }

  replaced(live: FunctionVersion, others: readonly FunctionVersion[] = []): void {
    this.replacedVersions.push(live);
    this.others.push(others);
  }

  readonly renewedNames: string[] = [];

  renew(functionName: string): void {
    this.renewedNames.push(functionName);
  }

  removed(functionName: string): Promise<void> {
    this.removedNames.push(functionName);
    return Promise.resolve();
  }
}
