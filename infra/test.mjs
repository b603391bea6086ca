// @ts-check
/** `npm test`: set-up, then every check and every test. The last line of output is `N passed, N failed`. */
import { goOn } from './setup/go-on.mjs';
import { whyNoGuests } from './setup/guest-kernel.mjs';
import { root, setUp } from './setup.mjs';

// With arguments it runs only the files that they name, and those never run in a guest.
const guests = process.argv.length <= 2 && whyNoGuests(process.env) === undefined;
if (await setUp({ guests })) {
  process.exitCode = await goOn(root, 'infra/commands/test.ts');
} else {
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
