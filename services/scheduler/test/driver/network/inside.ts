import type { EgressPolicy } from '@hob/contracts';
import type { ContainerProcess, EgressDenial } from '../../../src/container-driver.ts';
import { evaluate } from '../real-driver.ts';
import { HTTP_PORT, TCP_PORT, UDP_PORT } from './network-lab.ts';

/** What a function got of one address by each way: the answer of a server, or an error's code. */
export interface Attempt {
  readonly fetch: string;
  readonly tcp: string;
  readonly udp: string;
}

/** The ways out that a function has, for use in its code. */
const ways = `
const net = await import('node:net');
const dgram = await import('node:dgram');
const dns = await import('node:dns/promises');
const code = (error) => error.code ?? error.cause?.code ?? error.message;
const settle = (promise) => promise.catch(code);
const host = (address) => (address.includes(':') ? '[' + address + ']' : address);
const ask = (address) => settle(fetch('http://' + host(address) + ':${HTTP_PORT}/').then((answer) => answer.text()));
const connect = (address, port = ${TCP_PORT}) => settle(new Promise((resolve, reject) => {
  let text = '';
  net.connect(port, address).on('data', (bytes) => (text += bytes)).on('end', () => resolve(text)).on('error', reject);
}));
const send = (address, port = ${UDP_PORT}) => settle(new Promise((resolve, reject) => {
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', reject).on('message', (bytes) => resolve(String(bytes)));
  socket.connect(port, address, () => socket.send('hello'));
}));
`;

/** A container's denials, as they are told. */
export class Denials {
  readonly all: EgressDenial[] = [];

  /** Each as `reason target`, without its number, in alphabetical order. */
  get texts(): string[] {
    return this.all.map(({ reason, target }) => `${reason} ${target}`).toSorted();
  }
}

/** Gives a container its policy, runs code in it that has the ways out at hand, and ends it. */
export async function runInside(
  container: ContainerProcess,
  policy: EgressPolicy,
  body: string,
): Promise<{ readonly text: string; readonly denials: Denials }> {
  const denials = new Denials();
  await container.setEgress(policy);
  const answer = evaluate(container, ways + body);
  container.events = { ...container.events, denied: (denial) => void denials.all.push(denial) };
  try {
    return { text: await answer, denials };
  } finally {
    container.kill();
    await container.exited; // what was denied last is told by then
  }
}

/** Tries every way to each address. */
export async function tryAll(
  container: ContainerProcess,
  policy: EgressPolicy,
  targets: readonly string[],
): Promise<{ readonly attempts: Readonly<Record<string, Attempt>>; readonly denials: Denials }> {
  const body = `const attempts = {};
for (const address of ${JSON.stringify(targets)}) {
  attempts[address] = { fetch: await ask(address), tcp: await connect(address), udp: await send(address) };
}
return JSON.stringify(attempts);`;
  const { text, denials } = await runInside(container, policy, body);
  const attempts: Record<string, Attempt> = JSON.parse(text);
  return { attempts, denials };
}
