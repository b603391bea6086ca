import { fail, type FunctionVersion, LIVE_ALIAS, type Succession } from '@hob/contracts';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import type { ControlApiOptions, TypedApp } from './control-api.ts';
import { functionParams, problemAnswer, versionParams } from './control-schemas.ts';
import { readDeployUpload, uploadBody } from './deploy-upload.ts';
import { problemHeaders, problemOf } from './problem.ts';

const deployQuery = Type.Object({
  live: Type.Boolean({ default: true, description: 'Make the version live once a container of it has loaded.' }),
});

/** What the routes for versions and aliases need. */
export type VersionParts = Pick<ControlApiOptions, 'directory' | 'queue' | 'scheduler'>;

/** Adds the routes that make and show versions. */
export function addVersionRoutes(app: TypedApp, options: ControlApiOptions): void {
  addDeployRoute(app, options);
  app.get(
    '/functions/:name/versions/:version',
    {
      schema: {
        operationId: 'describeVersion',
        summary: 'One version and the files of its bundle.',
        params: versionParams,
        response: {
          200: Type.Object(
            {
              version: Type.Ref('FunctionVersion'),
              files: Type.Array(
                Type.Object({ path: Type.String(), bytes: Type.Integer({ minimum: 0 }), sha256: Type.String() }),
              ),
            },
            { description: 'The version.' },
          ),
          default: problemAnswer,
        },
      },
    },
    async (request, reply) => {
      const version = options.directory.resolve(request.params.name, request.params.version);
      const { files } = await options.bundles.manifest(version.digest);
      return reply.send({ version, files: [...files] });
    },
  );
}

function addDeployRoute(app: TypedApp, options: ControlApiOptions): void {
  const { bundles, directory, queue, scheduler, secrets } = options;
  app.post<{ Params: { name: string }; Querystring: { live?: string } }>(
    '/functions/:name/versions',
    {
      schema: {
        operationId: 'deployVersion',
        summary: 'Makes a version of the uploaded bundle, and makes it live once a container of it has loaded.',
        consumes: ['multipart/form-data'],
        params: functionParams,
        querystring: deployQuery,
        body: uploadBody,
        response: { 201: { description: 'The version.', ...Type.Ref('FunctionVersion') }, default: problemAnswer },
      },
      // The body is read as a stream by `readDeployUpload`, which checks it, so there is nothing here to validate.
      validatorCompiler: () => () => true,
    },
    async (request, reply) => {
      const { live = 'true' } = request.query;
      if (live !== 'true' && live !== 'false') throw fail('ERR_API_BAD_REQUEST', ['live must be true or false']);
      const upload = await readDeployUpload(request);
      const { name } = request.params;
      if (upload.config.name !== name) {
        throw fail('ERR_CONFIG_INVALID', ['name', `is "${upload.config.name}", but the URL says "${name}"`]);
      }
      queue.schedules.check(upload.config);
      const missing = secrets.missing(upload.config);
      if (missing.length > 0) throw fail('ERR_SECRET_MISSING', [name, missing.join(', ')]);
      const digest = await bundles.add(upload.manifest, upload.files);
      const version = await directory.deploy(upload.config, digest);
      let isMade = true;
      try {
        if (live === 'true') {
          isMade = await isProven(
            version,
            { versions: versionsOf(name, LIVE_ALIAS, directory), share: 1 },
            scheduler,
            reply,
          );
          if (isMade) await directory.promote(name, version.version);
        }
      } finally {
        await directory.settle(version);
        await serve(name, options);
      }
      return isMade ? reply.code(201).send(version) : reply;
    },
  );
}

/** The versions that an alias of a function names; none when there is no such alias. */
export function versionsOf(
  name: string,
  alias: string,
  directory: Pick<VersionParts['directory'], 'describe'>,
): number[] {
  const { aliases } = directory.describe(name).summary;
  return aliases.find((each) => each.name === alias)?.weights.map(({ version }) => version) ?? [];
}

/** Loads containers of a version. Where none can be, the reply says why, with what the function threw. */
export async function isProven(
  version: FunctionVersion,
  succession: Succession,
  scheduler: Pick<VersionParts['scheduler'], 'prove'>,
  reply: FastifyReply,
): Promise<boolean> {
  const failed = await scheduler.prove(version, succession);
  if (failed === undefined) return true;
  const { error: cause, failure } = failed;
  if (cause.spec.kind !== 'function') throw cause;
  const label = `${version.name}@${version.version}`;
  const problem = problemOf(fail('ERR_FN_NOT_PROVEN', [label, cause.message], { cause }), { failure });
  const headers = problemHeaders(problem);
  for (let at = 0; at + 1 < headers.length; at += 2) void reply.header(headers[at] as string, headers[at + 1]);
  void reply.code(problem.status).send(JSON.stringify(problem));
  return false;
}

/** Tells which versions the aliases of a function name now; nothing when it was removed meanwhile. @throws ERR_QUEUE_UNAVAILABLE */
export async function serve(name: string, { directory, queue, scheduler }: VersionParts): Promise<void> {
  if (!directory.list().some((summary) => summary.name === name)) return;
  const { live } = directory.describe(name).summary;
  if (live === undefined) return;
  scheduler.replaced(
    live,
    directory.inService(name).filter((version) => version !== live),
  );
  await queue.schedules.apply(live);
}
