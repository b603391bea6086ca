import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, type NetConnectOpts } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { JavaScriptAttempt } from './attempts.ts';

async function connected(options: NetConnectOpts): Promise<string> {
  const socket = connect(options);
  try {
    await once(socket, 'connect');
    return 'connected';
  } finally {
    socket.destroy();
  }
}

async function sent(host: string, port: number, type: 'udp4' | 'udp6'): Promise<string> {
  const socket = createSocket(type);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.send('x', port, host, (error) => (error ? reject(error) : resolve()));
    });
    return 'sent';
  } finally {
    socket.close();
  }
}

export const networkAttempts: Readonly<Record<string, JavaScriptAttempt>> = {
  'list-interfaces': () => Object.keys(networkInterfaces()).join(' '),
  'connect-host-loopback': ({ port }) => connected({ host: '127.0.0.1', port }),
  'connect-host-socket': ({ socketPath }) => connected({ path: socketPath }),
  'connect-host-abstract-socket': ({ abstractName }) => connected({ path: `\0${abstractName}` }),
  'connect-metadata-service': () => connected({ host: '169.254.169.254', port: 80 }),
  'connect-metadata-service-6': () => connected({ host: 'fd00:ec2::254', port: 80 }),
  'connect-link-local-6': () => connected({ host: 'fe80::1', port: 80 }),
  'send-to-name-server': () => sent('192.0.2.53', 53, 'udp4'),
  'send-multicast': () => sent('224.0.0.251', 5353, 'udp4'),
  'resolve-name': async () => (await lookup('example.com')).address,
};
