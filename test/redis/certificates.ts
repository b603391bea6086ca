import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { execa } from 'execa';

/** A certificate for 127.0.0.1, and the authority that it is from. */
export interface Certificates {
  /** In PEM. */
  readonly authority: string;
  /** Of redis-server: with the certificate for its own connections too, and none asked of clients. */
  readonly settings: readonly string[];
}

/** Makes an authority of a day, and a certificate of it, in a folder. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const openssl = (...args: string[]) => execa('openssl', args, { cwd: folder });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...key,
    '-days',
    '1',
    '-subj',
    '/CN=hob test authority',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
  );
  const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await openssl(
    'req',
    '-x509',
    ...key,
    '-days',
    '1',
    ...name,
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-keyout',
    'redis.key',
    '-out',
    'redis.crt',
  );
  const files = [
    ['--tls-cert-file', join(folder, 'redis.crt')],
    ['--tls-key-file', join(folder, 'redis.key')],
    ['--tls-ca-cert-file', join(folder, 'ca.crt')],
  ];
  return {
    authority: await readFile(join(folder, 'ca.crt'), 'utf8'),
    settings: [...files.flat(), '--tls-auth-clients', 'no', '--tls-replication', 'yes'],
  };
}

/** Has this process trust an authority besides the usual ones, as NODE_EXTRA_CA_CERTS does for a process that starts. */
export function trust({ authority }: Certificates): Disposable {
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, authority]);
  return { [Symbol.dispose]: () => setDefaultCACertificates(before) };
}
