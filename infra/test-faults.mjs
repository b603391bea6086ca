// @ts-check
/** `npm run test:faults`: set-up, then the long form of the fault tests: `-- --minutes N --seed S`. */
import { goOn } from './setup/go-on.mjs';
import { root, setUp } from './setup.mjs';

process.exitCode = (await setUp()) ? await goOn(root, 'test/faults/main.ts') : 1;
