import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const PORT_MIN = 10_240;
const ATTEMPTS_MAX = 100;
const given = new Set<number>();

/**
 * A port of the loopback that nobody has, and that this process has not been given before. The kernel gives it to no connection that
 * goes out either, so that it stays free until its owner listens, and while the owner is down for a time.
 */
export async function freePort(): Promise<number> {
  const outgoing = Number(/^\d+/.exec(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'))?.[0]);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const port = randomInt(PORT_MIN, Math.max(outgoing, PORT_MIN + 1));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no free port from ${PORT_MIN} to ${outgoing}`);
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}
