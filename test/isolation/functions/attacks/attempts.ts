/** What the function tries with nothing but JavaScript. Each attempt gives a word, or throws an error with a code. */
import { fileAttempts } from './file-attempts.ts';
import { networkAttempts } from './network-attempts.ts';
import { processAttempts } from './process-attempts.ts';

/** What the test tells of the host, so that the function knows what to look for. */
export interface HostFacts {
  readonly uptimeSeconds: number;
  /** Folders of the host that hold something. */
  readonly dataDir: string;
  readonly repository: string;
  /** A unix socket that listens in the host's file system, and one in its abstract names. */
  readonly socketPath: string;
  readonly abstractName: string;
  /** A port of the host's loopback that listens. */
  readonly port: number;
}

export type JavaScriptAttempt = (facts: HostFacts) => string | Promise<string>;

export const attempts: Readonly<Record<string, JavaScriptAttempt>> = {
  ...fileAttempts,
  ...processAttempts,
  ...networkAttempts,
};
