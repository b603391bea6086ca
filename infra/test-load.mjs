// @ts-check
/** `npm run test:load`: set-up, then the load test, which draws `test/load/RESULTS.svg`. */
import { goOn } from './setup/go-on.mjs';
import { root, setUp } from './setup.mjs';

process.exitCode = (await setUp()) ? await goOn(root, 'test/load/main.ts') : 1;
