import { readFileSync } from 'node:fs';

const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');

/** The version of hob: of this package, which is released with all others. */
export const VERSION = (JSON.parse(manifest) as { readonly version: string }).version;
