import { open } from 'node:fs/promises';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { join } from 'node:path';
import { BUNDLE_MAP, type FunctionFailure } from '@hob/contracts';
import type { BundleFolders } from './bundle-code.ts';
import { ByteLru } from './byte-lru.ts';
import { cutText } from './log-limit.ts';

/** A place in the bundled code, as V8 writes it in a stack; with the file's name as a path or as a URL. */
const PLACE = /(?:file:\/\/)?\/var\/task\/index\.mjs:(\d{1,9}):(\d{1,9})/g;
/** Parsed maps take about this many times the bytes of their text. */
const PARSED_FACTOR = 8;

/** What `SourceMap` is called with; a map that is not of this form is not used. */
function isPayload(value: unknown): value is SourceMapPayload {
  return typeof value === 'object' && value !== null && 'mappings' in value && typeof value.mappings === 'string';
}

/**
 * Translates stacks of bundled code to the sources that it was bundled from. A bundle without a map, or with one that is
 * broken or too large, keeps its stacks as they are.
 */
export class SourceMaps {
  readonly #bundles: BundleFolders;
  readonly #bytesMax: number;
  readonly #kept: ByteLru<SourceMap | 'none'>;
  readonly #reading = new Map<string, Promise<SourceMap | 'none'>>();

  /** @param bytesMax the largest map that is read: parsing blocks this process. */
  constructor(bundles: BundleFolders, bytesMax: number) {
    this.#bundles = bundles;
    this.#bytesMax = bytesMax;
    this.#kept = new ByteLru(4 * PARSED_FACTOR * bytesMax);
  }

  /** Never rejects. */
  async explain(digest: string, failure: FunctionFailure): Promise<FunctionFailure> {
    const map = this.#kept.get(digest) ?? (await this.#load(digest));
    return map === 'none' ? failure : { ...failure, stack: cutText(translate(failure.stack, map)) };
  }

  #load(digest: string): Promise<SourceMap | 'none'> {
    const running = this.#reading.get(digest);
    if (running) return running;
    const reading = this.#read(digest).finally(() => this.#reading.delete(digest));
    this.#reading.set(digest, reading);
    return reading;
  }

  async #read(digest: string): Promise<SourceMap | 'none'> {
    let map: SourceMap | 'none' = 'none';
    let bytes = 0;
    try {
      const text = await readBounded(join(this.#bundles.folder(digest), BUNDLE_MAP), this.#bytesMax);
      const payload: unknown = text === undefined ? undefined : JSON.parse(text);
      if (text !== undefined && isPayload(payload)) {
        map = new SourceMap(payload);
        // Parsing is put off until the first use, and fails then.
        map.findEntry(0, 0);
        bytes = text.length * PARSED_FACTOR;
      }
    } catch {
      map = 'none'; // missing or broken: a stack of the bundle is better than none
    }
    this.#kept.set(digest, map, bytes);
    return map;
  }
}

async function readBounded(path: string, bytesMax: number): Promise<string | undefined> {
  await using file = await open(path);
  const { size } = await file.stat();
  return size > bytesMax ? undefined : await file.readFile('utf8');
}

function translate(stack: string, map: SourceMap): string {
  return stack.replace(PLACE, (place, line: string, column: string) => {
    const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
    if (!('originalSource' in entry) || typeof entry.originalSource !== 'string') return place;
    return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}
