import type { Loader } from 'esbuild';

/** Extensions of files that an import gives as a string. */
const texts = [
  '.txt',
  '.md',
  '.html',
  '.htm',
  '.css',
  '.module.css',
  '.sql',
  '.graphql',
  '.gql',
  '.xml',
  '.csv',
  '.tsv',
];

/** Extensions of files that an import gives as a Uint8Array: they become part of the code. */
const binaries = ['.wasm', '.bin', '.dat'];

/** Extensions of files that an import gives as an address relative to the code, beside which they are copied. */
const files = [
  ...['.avif', '.bmp', '.gif', '.ico', '.jpeg', '.jpg', '.png', '.svg', '.tiff', '.webp'],
  ...['.eot', '.otf', '.ttf', '.woff', '.woff2'],
  ...['.aac', '.flac', '.mp3', '.mp4', '.ogg', '.wav', '.webm'],
  ...['.gz', '.pdf', '.tar', '.zip'],
];

/** How imported files that are no code are bundled, by extension. JSON is as in Node: the parsed value. */
export const assetLoaders: Readonly<Record<string, Loader>> = Object.fromEntries([
  ...texts.map((extension) => [extension, 'text'] as const),
  ...binaries.map((extension) => [extension, 'binary'] as const),
  ...files.map((extension) => [extension, 'file'] as const),
]);
