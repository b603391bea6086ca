import { createHash } from 'node:crypto';
import { type BundleManifest, bundleDigest, checkManifest } from '@hob/contracts';
import type { DiskBundleStore, IncomingFile } from '../../src/index.ts';

export type Contents = Readonly<Record<string, string>>;

export function manifestOf(contents: Contents): BundleManifest {
  return checkManifest({
    files: Object.entries(contents).map(([path, content]) => ({
      path,
      bytes: Buffer.byteLength(content),
      sha256: createHash('sha256').update(content).digest('hex'),
    })),
  });
}

export function digestOf(contents: Contents): string {
  return bundleDigest(manifestOf(contents));
}

/** Each content in pieces of a few bytes. */
export async function* filesOf(contents: Contents): AsyncGenerator<IncomingFile> {
  for (const [path, content] of Object.entries(contents)) {
    yield await Promise.resolve({ path, content: piecesOf(content) });
  }
}

async function* piecesOf(content: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.byteLength; at += 7) yield await Promise.resolve(bytes.subarray(at, at + 7));
}

export async function addBundle(store: DiskBundleStore, contents: Contents): Promise<string> {
  return await store.add(manifestOf(contents), filesOf(contents));
}
