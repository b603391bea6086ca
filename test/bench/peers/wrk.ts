import { execa } from 'execa';
import { peerEnvironment } from '../tools.ts';

/** What wrk says of one run. */
export interface WrkResult {
  readonly requestsPerSecond: number;
  /** Latency of single calls, ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * Loads a URL and waits.
 *
 * @param load connections are spread over at most two threads.
 * @throws Error when wrk failed, or when a call was answered with anything but 2xx or 3xx.
 */
export async function runWrk(program: string, url: string, load: { connections: number; seconds: number }) {
  const threads = Math.min(2, load.connections);
  const args = ['--latency', '--timeout', '10s', `-t${threads}`, `-c${load.connections}`, `-d${load.seconds}s`, url];
  const { stdout } = await execa(program, args, { env: peerEnvironment, extendEnv: false });
  return parseWrk(stdout);
}

/** @throws Error when the text is not that of a run without errors. */
export function parseWrk(text: string): WrkResult {
  const errors = /^\s*(?:Socket errors|Non-2xx).*$/m.exec(text);
  if (errors !== null) throw new Error(`wrk met errors: ${errors[0].trim()}`);
  const latency = (share: string): number => {
    const match = new RegExp(`^\\s+${share}%\\s+([\\d.]+)(us|ms|s) *$`, 'm').exec(text);
    const factor = { us: 0.001, ms: 1, s: 1000 }[match?.[2] ?? ''];
    if (factor === undefined) throw new Error(`wrk gives no ${share}% latency:\n${text}`);
    return Number(match?.[1]) * factor;
  };
  const rate = /^Requests\/sec:\s+([\d.]+)$/m.exec(text)?.[1];
  if (rate === undefined) throw new Error(`wrk gives no rate:\n${text}`);
  return { requestsPerSecond: Number(rate), p50Ms: latency('50'), p99Ms: latency('99') };
}
