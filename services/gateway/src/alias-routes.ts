import { Type } from 'typebox';
import type { TypedApp } from './control-api.ts';
import { aliasBody, aliasParams, functionParams, problemAnswer } from './control-schemas.ts';
import { isProven, serve, versionsOf, type VersionParts } from './version-routes.ts';

const aliasAnswer = { description: 'The alias.', ...Type.Ref('FunctionAlias') };

/** Adds the routes for names of versions. */
export function addAliasRoutes(app: TypedApp, parts: VersionParts): void {
  const { directory, scheduler } = parts;
  app.get(
    '/functions/:name/aliases',
    {
      schema: {
        operationId: 'listAliases',
        summary: 'The aliases of a function.',
        params: functionParams,
        response: {
          200: { description: 'In the order of their names.', ...Type.Array(Type.Ref('FunctionAlias')) },
          default: problemAnswer,
        },
      },
    },
    (request, reply) => reply.send(directory.describe(request.params.name).summary.aliases),
  );
  app.put(
    '/functions/:name/aliases/:alias',
    {
      schema: {
        operationId: 'setAlias',
        summary: 'Sets or makes an alias, once a container of each version that it names has loaded.',
        params: aliasParams,
        body: aliasBody,
        response: { 200: aliasAnswer, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const { name, alias } = request.params;
      const { weights } = request.body;
      const total = weights.reduce((sum, { weight }) => sum + weight, 0);
      for (const { version: number, weight } of weights) {
        const version = directory.resolve(name, number);
        const succession = { versions: versionsOf(name, alias, directory), share: weight / total };
        if (!(await isProven(version, succession, scheduler, reply))) return reply;
      }
      const set = await directory.setAlias(name, alias, request.body);
      await serve(name, parts);
      return reply.send(set);
    },
  );
  app.delete(
    '/functions/:name/aliases/:alias',
    {
      schema: {
        operationId: 'removeAlias',
        summary: 'Removes an alias other than `live`.',
        params: aliasParams,
        response: { 204: { description: 'It is gone.', type: 'null' }, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const { name, alias } = request.params;
      await directory.removeAlias(name, alias);
      await serve(name, parts);
      return reply.code(204).send(null);
    },
  );
  addRollbackRoute(app, parts);
}

function addRollbackRoute(app: TypedApp, parts: VersionParts): void {
  app.post(
    '/functions/:name/rollback',
    {
      schema: {
        operationId: 'rollBack',
        summary: 'Sets `live` to what it was before it was set last; again, it goes further back.',
        params: functionParams,
        response: { 200: aliasAnswer, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const live = await parts.directory.rollback(name);
      await serve(name, parts);
      return reply.send(live);
    },
  );
}
