import type { Command } from 'commander';
import type { Tools } from '../tools.ts';

/** Adds `hob worker`, which `hob serve --workers` starts: nobody else can. */
export function addWorker(program: Command, tools: Tools): void {
  program.command('worker', { hidden: true }).action(async () => {
    const { runWorker } = await import('../serve/worker.ts');
    tools.exitCode = await runWorker(tools);
  });
}
