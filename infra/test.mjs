// @ts-check
/** `npm test`: set-up, then every check and every test. The last line of output is `N passed, N failed`. */
import { goOn } from './setup/go-on.mjs';
import { root, setUp } from './setup.mjs';

if (await setUp()) {
  process.exitCode = await goOn(root, 'infra/commands/test.ts');
} else {
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
