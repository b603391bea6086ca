import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { fail } from '@hob/contracts';
import { GatewayWorker } from '@hob/gateway/worker';
import { FunctionTable } from '@hob/registry/function-table';
import type { Tools } from '../tools.ts';
import { readServeConfig } from './serve-config.ts';
import { createServerLog } from './server-log.ts';
import { TokenHashes } from './token-hashes.ts';
import { CALLS_FD, GATEWAY_SOCKET } from './worker-processes.ts';

/**
 * One gateway worker: serves until the server that started it says so, or is gone. Signals are the server's: those that a terminal
 * or a service manager sends to the whole group must not cut what the server lets end in order.
 *
 * @throws ERR_SERVE_WORKER when it was started by somebody else.
 */
export async function runWorker(tools: Tools): Promise<never> {
  const log = createServerLog(tools.terminal, readServeConfig(tools.env).server.logLevel).child({
    worker: process.pid,
  });
  if (!isSocket(CALLS_FD)) {
    throw fail('ERR_SERVE_WORKER', [`descriptor ${CALLS_FD} is no connection; hob serve --workers starts it with one`]);
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => undefined);
  for (const name of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(name, (error: unknown) => {
      log.fatal({ err: error }, 'a gateway worker ends after an error that nobody caught');
      process.exit(1);
    });
  }
  const worker = new GatewayWorker({
    connection: new Socket({ fd: CALLS_FD, readable: true, writable: true }),
    functions: new FunctionTable(),
    upstream: GATEWAY_SOCKET,
    verifier: (hashes) => new TokenHashes(hashes),
    logger: log,
  });
  const error = await worker.ended;
  if (error !== undefined) log.error({ err: error }, 'a gateway worker ends');
  // What is left of its clients' connections ends with it.
  process.exit(error === undefined ? 0 : 1);
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}
