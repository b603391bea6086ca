import type { Command } from 'commander';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';

/** Adds `hob launcher`. */
export function addLauncher(program: Command, tools: Tools): void {
  const command = program
    .command('launcher')
    .description(
      'The part of hob that is root, as a service of its own: makes containers for a "hob serve" that is not. ' +
        'Started by systemd with a connection; see infra/systemd. A "hob serve" of root has one of its own.',
    )
    .action(async () => {
      const { launch } = await import('../serve/launch.ts');
      tools.exitCode = await launch(tools);
    });
  complete(command, [['systemctl start hob', 'starts it when it is needed']]);
}
