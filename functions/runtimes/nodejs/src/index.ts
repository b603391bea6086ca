import { fileURLToPath } from 'node:url';

/** Absolute path of the bundled zygote, which `npm run build` makes. Node runs it as a CommonJS file. */
export const zygotePath = fileURLToPath(new URL('../dist/zygote.cjs', import.meta.url));

export * from './zygote-messages.ts';
