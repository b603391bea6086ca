import type { Command } from 'commander';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';

/**
 * Adds `hob serve`.
 *
 * @param help the list of its settings, or '' when another command runs: what it is made from is slow to load.
 */
export function addServe(program: Command, tools: Tools, help: string): void {
  const command = program
    .command('serve')
    .description(
      'Run hob: gateway, scheduler, registry and a private Redis without privileges. Needs root, or a launcher.',
    )
    .option('--strict', 'do not start where a line of the isolation checklist is missing')
    .option('--workers <number>', 'run the gateway as so many processes: for machines with many cores')
    .action(async ({ json, strict, workers }: { json?: true; strict?: true; workers?: string }) => {
      const { serve } = await import('../serve/serve.ts');
      tools.exitCode = await serve(tools, { json: json === true, strict: strict === true, workers });
    });
  complete(command, [
    ['hob serve', 'on 127.0.0.1:8080, data in /var/lib/hob'],
    ['HOB_LISTEN=0.0.0.0:80 HOB_DATA_DIR=/srv/hob hob serve', 'for other machines too, data elsewhere'],
    ['hob serve --strict', 'only where every line that "hob doctor" shows is held'],
    ['hob serve --workers 4', 'the gateway as four processes that share the port'],
    ['HOB_POOL_MIN=8 hob serve', 'more containers ready before the first call'],
  ]);
  command.addHelpText('after', help);
}
