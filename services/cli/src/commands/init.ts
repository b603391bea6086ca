import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { fail, type HobError } from '@hob/contracts';
import { type Command, Option } from 'commander';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';
import { functionName } from './target.ts';

interface InitOptions {
  readonly name?: string;
  readonly template: keyof typeof templates;
  readonly json?: true;
}

const templates = {
  ts: {
    entry: 'index.ts',
    code: `/** Answers every request; \`npx hob invoke\` shows what comes back. */
export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const name = searchParams.get('name') ?? 'world';
    return Response.json({ message: \`Hello, \${name}!\`, method: request.method, path: pathname });
  },
};
`,
  },
  js: {
    entry: 'index.js',
    code: `/** Answers every request; \`npx hob invoke\` shows what comes back. */
export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const name = searchParams.get('name') ?? 'world';
    return Response.json({ message: \`Hello, \${name}!\`, method: request.method, path: pathname });
  },
};
`,
  },
  event: {
    entry: 'index.ts',
    code: `/** JSON in, JSON out. */
export const handler = async (event: { readonly name?: string }): Promise<{ readonly message: string }> => {
  return { message: \`Hello, \${event.name ?? 'world'}!\` };
};
`,
  },
} as const;

/** Adds `hob init`. */
export function addInit(program: Command, tools: Tools): void {
  const command = program
    .command('init')
    .description('Write a new function: hob.json and its code. No file is overwritten.')
    .argument('[folder]', 'folder to write to; it is made if need be', '.')
    .option('--name <name>', "name of the function (default: made from the folder's name)")
    .addOption(
      new Option('--template <kind>', 'what to start from: TypeScript, JavaScript, or an event handler')
        .choices(Object.keys(templates))
        .default('ts'),
    )
    .action((folder: string, options: InitOptions) => init(tools, resolve(folder), options));
  complete(command, [
    ['hob init hello && hob deploy hello && hob invoke hello', 'from nothing to an answer'],
    ['hob init . --name greeter --template event', 'in this folder, JSON in and JSON out'],
  ]);
}

async function init(tools: Tools, folder: string, options: InitOptions): Promise<void> {
  const name = options.name === undefined ? nameFromFolder(folder) : functionName(options.name);
  const { entry, code } = templates[options.template];
  const config = { $schema: `${tools.serverUrl}/schema/hob.json`, name, entry, memoryMb: 256, timeoutMs: 30_000 };
  await mkdir(folder, { recursive: true });
  const files: [string, string][] = [
    [join(folder, 'hob.json'), `${JSON.stringify(config, undefined, 2)}\n`],
    [join(folder, entry), code],
  ];
  // Looked at first, so that a refusal leaves nothing behind.
  for (const [path] of files) if (existsSync(path)) throw refusal(path);
  for (const [path, text] of files) await writeFile(path, text, { flag: 'wx' });
  const paths = files.map(([path]) => path);
  if (options.json) return tools.terminal.json({ name, files: paths });
  for (const path of paths) await tools.terminal.result(relative(process.cwd(), path) || path);
  tools.terminal.note(`next: npx hob deploy ${relative(process.cwd(), folder) || '.'} && npx hob invoke ${name}`);
}

function refusal(path: string): HobError {
  return fail('ERR_CLI_USAGE', [`${path} exists already, and is not overwritten`]);
}

/** A function's name that resembles the folder's. @throws ERR_CLI_USAGE when nothing of it can be used. */
export function nameFromFolder(folder: string): string {
  const name = basename(folder)
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/\p{Mark}/gu, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  if (name === '') throw fail('ERR_CLI_USAGE', [`no function name can be made from ${folder}: give one with --name`]);
  return name;
}
