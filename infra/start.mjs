// @ts-check
/** `npm start`: set-up, then hob with the examples. `npm start -- --once` ends after the examples were called. */
import { goOn } from './setup/go-on.mjs';
import { root, setUp } from './setup.mjs';

process.exitCode = (await setUp()) ? await goOn(root, 'infra/commands/start.ts') : 1;
