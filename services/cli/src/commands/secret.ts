import { buffer } from 'node:stream/consumers';
import { fail, secretForm, type SecretKeyNote, type SecretNote } from '@hob/contracts';
import type { Command } from 'commander';
import { table } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';
import { functionName } from './target.ts';

interface Options {
  readonly json?: true;
}

/** Adds `hob secret` with its parts. */
export function addSecret(program: Command, tools: Tools): void {
  const secret = program.command('secret').description('Values that functions get and nobody else sees.');
  const set = secret
    .command('set')
    .description('Set a secret to what comes on standard input, without the newline at its end.')
    .argument('<name>', 'name of the function')
    .argument('<key>', 'name of the secret, and of its environment variable')
    .action((name: string, key: string, { json }: Options) => setSecret(tools, targetOf(name, key), json === true));
  complete(set, [
    ['hob secret set hello API_KEY < key.txt', 'from a file'],
    ["printf %s 'sesame' | hob secret set hello API_KEY", 'from a pipe'],
  ]);
  const ls = secret
    .command('ls')
    .description('List the names of the secrets of a function.')
    .argument('<name>', 'name of the function')
    .action((name: string, { json }: Options) => list(tools, functionName(name), json === true));
  complete(ls, [['hob secret ls hello', 'names, and when each was set']]);
  const rm = secret
    .command('rm')
    .description('Remove a secret that no version in service names.')
    .argument('<name>', 'name of the function')
    .argument('<key>', 'name of the secret')
    .action((name: string, key: string, { json }: Options) => remove(tools, targetOf(name, key), json === true));
  complete(rm, [['hob secret rm hello API_KEY', 'new containers do not get it any more']]);
  const rotateKey = secret
    .command('rotate-key')
    .description('Encrypt all secrets with a new key, while hob runs. Functions notice nothing.')
    .action(({ json }: Options) => rotate(tools, json === true));
  complete(rotateKey, [['hob secret rotate-key', 'make a new backup afterwards: older ones have the former key']]);
}

interface Target {
  readonly name: string;
  readonly key: string;
  readonly path: string;
}

function targetOf(name: string, key: string): Target {
  if (!secretForm.test(key)) {
    throw fail('ERR_CLI_USAGE', [`"${key}" is no name of a secret: letters, digits and underscores, no digit first`]);
  }
  return { name: functionName(name), key, path: `/v1/functions/${name}/secrets/${key}` };
}

async function setSecret(tools: Tools, { name, key, path }: Target, json: boolean): Promise<void> {
  if (tools.stdin.isTTY) tools.terminal.note('type the value, then Ctrl-D');
  const value = new TextDecoder('utf-8', { fatal: true }).decode(await buffer(tools.stdin)).replace(/\r?\n$/, '');
  if (value === '') throw fail('ERR_CLI_USAGE', ['the value comes on standard input, which is empty']);
  const client = await tools.client();
  const headers = { 'content-type': 'application/json' };
  const set = await client.json({ method: 'PUT', path, headers, body: JSON.stringify({ value }) });
  if (json) return tools.terminal.json(set);
  return tools.terminal.result(`set ${key} of ${name}`);
}

async function list(tools: Tools, name: string, json: boolean): Promise<void> {
  const client = await tools.client();
  const secrets = (await client.json({ method: 'GET', path: `/v1/functions/${name}/secrets` })) as SecretNote[];
  if (json) return tools.terminal.json(secrets);
  if (secrets.length === 0) return tools.terminal.note(`${name} has no secrets`);
  const rows = secrets.map((secret) => [secret.name, secret.updatedAt]);
  return tools.terminal.result(table(['SECRET', 'SET'], rows));
}

async function remove(tools: Tools, { name, key, path }: Target, json: boolean): Promise<void> {
  const client = await tools.client();
  await client.json({ method: 'DELETE', path });
  if (json) return tools.terminal.json({ removed: key });
  return tools.terminal.result(`removed ${key} of ${name}`);
}

async function rotate(tools: Tools, json: boolean): Promise<void> {
  const client = await tools.client();
  const path = '/v1/secret-key/rotate';
  const note = (await tools.terminal.progress('encrypting', () =>
    client.json({ method: 'POST', path }),
  )) as SecretKeyNote;
  if (json) return tools.terminal.json(note);
  const { key, former, secrets } = note;
  const what = secrets === 1 ? '1 secret is' : `${secrets} secrets are`;
  return tools.terminal.result(`${what} encrypted with a new key, ${key}; the former one was ${former}`);
}
