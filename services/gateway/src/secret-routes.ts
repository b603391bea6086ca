import { fail } from '@hob/contracts';
import { Type } from 'typebox';
import type { ControlApiOptions, TypedApp } from './control-api.ts';
import { functionParams, problemAnswer, secretParams } from './control-schemas.ts';

const FUNCTION_NAME = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const note = Type.Object(
  { name: Type.String(), updatedAt: Type.String({ description: 'ISO 8601.' }) },
  { description: 'A secret, without its value.' },
);
const secretBody = Type.Object(
  { value: Type.String({ description: 'Up to 32 KiB of UTF-8.' }) },
  { description: 'Nothing gives it back but the environment of the function.' },
);

const keyNote = Type.Object(
  {
    key: Type.String({ description: 'Name of the key that all secrets are encrypted with now.' }),
    former: Type.String({ description: 'Name of the key before it.' }),
    secrets: Type.Integer({ description: 'How many secrets there are.' }),
  },
  { description: 'A rotation, without the keys.' },
);

/** Adds the routes for secrets of functions. No answer has a value. */
export function addSecretRoutes(app: TypedApp, { directory, scheduler, secrets }: ControlApiOptions): void {
  app.get(
    '/functions/:name/secrets',
    {
      schema: {
        operationId: 'listSecrets',
        summary: 'Names of the secrets of a function, which need not exist yet.',
        params: functionParams,
        response: { 200: Type.Array(note, { description: 'In the order of their names.' }), default: problemAnswer },
      },
    },
    (request, reply) => reply.send([...secrets.list(request.params.name)]),
  );
  app.post(
    '/secret-key/rotate',
    {
      schema: {
        operationId: 'rotateSecretKey',
        summary: 'Encrypts all secrets with a new key. Functions notice nothing.',
        response: { 200: keyNote, default: problemAnswer },
      },
    },
    async (_request, reply) => reply.send(await secrets.rotateKey()),
  );
  app.put(
    '/functions/:name/secrets/:secret',
    {
      schema: {
        operationId: 'setSecret',
        summary: 'Sets a secret; new containers get it from now on, and those that have the former one are drained.',
        params: secretParams,
        body: secretBody,
        response: { 200: note, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const { name, secret } = request.params;
      if (!FUNCTION_NAME.test(name)) throw fail('ERR_FN_NOT_FOUND', [name]);
      const set = await secrets.set(name, secret, request.body.value);
      scheduler.renew(name);
      return reply.send(set);
    },
  );
  app.delete(
    '/functions/:name/secrets/:secret',
    {
      schema: {
        operationId: 'removeSecret',
        summary: 'Removes a secret that no version names which an alias names.',
        params: secretParams,
        response: { 204: { description: 'It is gone.', type: 'null' }, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const { name, secret } = request.params;
      const users = directory.list().some((summary) => summary.name === name) ? directory.inService(name) : [];
      const naming = users.filter(({ config }) => config.secrets?.includes(secret));
      if (naming.length > 0) {
        const versions = naming.map(({ version }) => `${name}@${version}`).join(', ');
        throw fail('ERR_SECRET_IN_USE', [secret, versions]);
      }
      await secrets.remove(name, secret);
      scheduler.renew(name);
      return reply.code(204).send(null);
    },
  );
}
