// @ts-check
/** `npm run test:vm`: set-up, then the tests in guest kernels. The last line of output is `N passed, N failed`. */
import { goOn } from './setup/go-on.mjs';
import { whyNoGuests } from './setup/guest-kernel.mjs';
import { root, setUp } from './setup.mjs';

const none = whyNoGuests({});
if (none !== undefined) console.error(`no guest kernels: ${none}`);
if (none === undefined && (await setUp({ guests: true }))) {
  process.exitCode = await goOn(root, 'infra/commands/test-vm.ts');
} else {
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
