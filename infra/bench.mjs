// @ts-check
/** `npm run bench`: set-up, then the measurements. `-- --only NAME,…` runs some, `-- --json FILE` writes them too. */
import { goOn } from './setup/go-on.mjs';
import { root, setUp } from './setup.mjs';

process.exitCode = (await setUp()) ? await goOn(root, 'test/bench/main.ts') : 1;
