import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** As many processes as a container may have, ended and started again, for ever. */
const SCRIPT = `
  while :; do
    p=()
    for i in {1..120}; do sleep 100 & p+=($!); done
    kill -9 "\${p[@]}"
    wait
  done 2> /dev/null`;

/** Plain processes that start and end processes over and over, at the lowest priority. Disposing ends them all. */
export class ForkBomb implements AsyncDisposable {
  readonly #shell: ChildProcess = spawn('nice', ['-n', '19', 'bash', '-c', SCRIPT], {
    detached: true,
    stdio: 'ignore',
  });

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid } = this.#shell;
    if (pid === undefined) return;
    const exited = once(this.#shell, 'exit');
    process.kill(-pid, 'SIGKILL');
    await exited;
  }
}
