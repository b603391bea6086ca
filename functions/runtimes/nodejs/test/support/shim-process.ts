/** Runs the shim in a process of its own, as a forked container does, on the socket that it has inherited. */
import { prepareShim, Shim } from '../../src/shim.ts';

const SOCKET_FD = 3;
// Leaves without running handlers, as a container's own exit does.
const leave = Reflect.get(process, 'reallyExit') as (code: number) => never;

async function main(): Promise<void> {
  await prepareShim(process.pid);
  new Shim({ socketFd: SOCKET_FD, exit: (code) => leave(code) }).start();
}

void main();
