/** What a gateway promises to its callers, a gateway worker promises too: the same tests, called through one.
 * Lessons are left out: their calls do not tell which client they came from. */
import { through } from '../fakes/test-gateway.ts';

through.worker = true;

await import('../async-call.test.ts');
await import('../board.test.ts');
await import('../control-api.test.ts');
await import('../deploy.test.ts');
await import('../function-call.test.ts');
await import('../hostile-function.test.ts');
await import('../http-front.test.ts');
await import('../keyed-call.test.ts');
await import('../simple/simple-connection.test.ts');
await import('../streaming.test.ts');
