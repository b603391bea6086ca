import { Command, type Help } from 'commander';
import { addAlias, addRollback } from './commands/alias.ts';
import { addBackup } from './commands/backup.ts';
import { addDeploy } from './commands/deploy.ts';
import { addDescribe } from './commands/describe.ts';
import { addDiff } from './commands/diff.ts';
import { addDlq } from './commands/dlq.ts';
import { addDoctor } from './commands/doctor.ts';
import { addInit } from './commands/init.ts';
import { addInvocation } from './commands/invocation.ts';
import { addInvoke } from './commands/invoke.ts';
import { addLauncher } from './commands/launcher.ts';
import { addLogs } from './commands/logs.ts';
import { addLs } from './commands/ls.ts';
import { addRm } from './commands/rm.ts';
import { addSchedule } from './commands/schedule.ts';
import { addSeccomp } from './commands/seccomp.ts';
import { addSecret } from './commands/secret.ts';
import { addServe } from './commands/serve.ts';
import { addSimulate } from './commands/simulate.ts';
import { addStats } from './commands/stats.ts';
import { addTop } from './commands/top.ts';
import { addVersions } from './commands/versions.ts';
import { addWorker } from './commands/worker.ts';
import type { Tools } from './tools.ts';
import { VERSION } from './version.ts';

const environment = `
Environment:
  HOB_URL        server to talk to (default: http:// and HOB_LISTEN, or http://127.0.0.1:8080)
  HOB_TOKEN      token of the server (default: what "hob serve" kept in ~/.config/hob/token)
  HOB_DEBUG=1    show where an error happened
  NO_COLOR=1     no colours
  "hob serve --help" lists what the server reads.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.`;

/**
 * The whole command line, ready to parse. Usage errors are thrown as CommanderError, and print nothing themselves.
 *
 * @param serveHelp the settings of `hob serve`, where its help may be asked for.
 */
export function createProgram(tools: Tools, serveHelp: string): Command {
  const { terminal } = tools;
  const program = new Command('hob')
    .description('Serverless functions on your own machine, in containers that start in milliseconds.')
    .version(VERSION, '-V, --version', 'print the version of hob')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      // `run.ts` reports errors, all in one form.
      outputError: () => undefined,
      getOutHelpWidth: () => terminal.stdout.columns ?? 100,
      getErrHelpWidth: () => terminal.stderr.columns ?? 100,
      getOutHasColors: () => terminal.colors(terminal.stdout),
      getErrHasColors: () => terminal.colors(terminal.stderr),
    })
    .configureHelp({ styleTitle: (title) => terminal.style(terminal.stdout, 'bold', title) } satisfies Partial<Help>)
    .helpOption('-h, --help', 'show how to use it')
    .helpCommand('help [command]', 'show how to use a command');
  addServe(program, tools, serveHelp);
  const add = [
    addInit,
    addDeploy,
    addInvoke,
    addInvocation,
    addDlq,
    addSchedule,
    addLs,
    addDescribe,
    addVersions,
    addAlias,
    addRollback,
    addDiff,
    addSecret,
    addLogs,
    addRm,
    addStats,
    addTop,
    addSimulate,
    addSeccomp,
    addDoctor,
    addBackup,
    addLauncher,
    addWorker,
  ];
  for (const addCommand of add) addCommand(program, tools);
  return program.addHelpText('after', environment);
}
