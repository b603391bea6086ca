/** Brings `.hob/rootfs/current` up to date and says in one line what it did. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { rootfsManifest } from './manifest.ts';
import { bringUpToDate } from './store.ts';

const root = resolve(import.meta.dirname, '../..');

/** The builder's own sources: a changed builder makes a new tree. */
function builderDigest(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(import.meta.dirname).toSorted()) {
    hash.update(readFileSync(join(import.meta.dirname, name)));
  }
  return hash.digest('hex');
}

const state = await bringUpToDate(join(root, '.hob', 'rootfs'), rootfsManifest(process.execPath), builderDigest());
const { built } = state;
console.log(built ? `built, ${built.files} files, ${Math.round(built.bytes / 1_048_576)} MB` : 'current');
for (const path of state.inUse) console.log(`${path} is old and still in use; a later set-up removes it`);
