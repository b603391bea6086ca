import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** As many processes as a container may have, ended and started again, for ever. */
export const FORK_BOMB = `
  while :; do
    p=()
    for i in {1..120}; do sleep 100 & p+=($!); done
    kill -9 "\${p[@]}"
    wait
  done 2> /dev/null`;

/** A loop for each core. */
export const BUSY_LOOPS = `
  for i in $(seq $(nproc)); do while :; do :; done & done
  wait`;

/** Plain processes that do what a script says, at the lowest priority. Disposing ends them all. */
export class PlainLoad implements AsyncDisposable {
  readonly #shell: ChildProcess;

  constructor(script: string) {
    this.#shell = spawn('nice', ['-n', '19', 'bash', '-c', script], { detached: true, stdio: 'ignore' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid } = this.#shell;
    if (pid === undefined) return;
    const exited = once(this.#shell, 'exit');
    process.kill(-pid, 'SIGKILL');
    await exited;
  }
}
