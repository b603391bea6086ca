import type { Multipart } from '@fastify/multipart';
import {
  BUNDLE_BYTES_MAX,
  BUNDLE_FILES_MAX,
  type BundleManifest,
  checkFunctionConfig,
  checkManifest,
  fail,
  type FunctionConfig,
  type HobError,
  isHobError,
} from '@hob/contracts';
import type { FastifyRequest } from 'fastify';

/** A deploy as it comes in: what is to be made, then the files. */
export interface DeployUpload {
  readonly config: FunctionConfig;
  readonly manifest: BundleManifest;
  /** The file parts in the order of their arrival. Read once, to its end or to the first error. */
  readonly files: AsyncIterable<{ readonly path: string; readonly content: AsyncIterable<Uint8Array> }>;
}

/** Name of the field that comes first. */
const DEPLOY_FIELD = 'deploy';
/** Enough for a manifest with the most files and long paths, bytes. */
const DEPLOY_FIELD_BYTES_MAX = 16 * 1024 * 1024;

/** Limits of the multipart parser. */
export const uploadLimits = {
  fields: 1,
  fieldSize: DEPLOY_FIELD_BYTES_MAX,
  fieldNameSize: 1024,
  fileSize: BUNDLE_BYTES_MAX,
  files: BUNDLE_FILES_MAX,
  parts: BUNDLE_FILES_MAX + 1,
  headerPairs: 16,
};

/**
 * Reads the first part of an upload and gives the rest as a stream of files.
 *
 * @throws ERR_API_BAD_REQUEST when it is no such upload; ERR_CONFIG_INVALID, ERR_BUNDLE_INVALID, ERR_BUNDLE_TOO_LARGE.
 */
export async function readDeployUpload(request: FastifyRequest): Promise<DeployUpload> {
  if (!request.isMultipart()) throw fail('ERR_API_BAD_REQUEST', ['a deploy is sent as multipart/form-data']);
  const parts = request.parts();
  const { value: first } = await parts.next().catch((error: unknown) => {
    throw uploadError(error);
  });
  if (first?.type !== 'field' || first.fieldname !== DEPLOY_FIELD) {
    if (first?.type === 'file') first.file.resume();
    throw fail('ERR_API_BAD_REQUEST', [`the first part of a deploy is the field "${DEPLOY_FIELD}"`]);
  }
  const deploy = parseDeployField(first);
  return {
    config: checkFunctionConfig(deploy['config']),
    manifest: checkManifest(deploy['manifest']),
    files: filesOf(parts),
  };
}

function parseDeployField(field: {
  readonly value: unknown;
  readonly valueTruncated: boolean;
}): Record<string, unknown> {
  if (field.valueTruncated) {
    throw fail('ERR_API_BAD_REQUEST', [`"${DEPLOY_FIELD}" is larger than ${DEPLOY_FIELD_BYTES_MAX} bytes`]);
  }
  let value = field.value;
  try {
    if (typeof value === 'string') value = JSON.parse(value);
  } catch (cause) {
    throw fail('ERR_API_BAD_REQUEST', [`"${DEPLOY_FIELD}" is not JSON`], { cause });
  }
  if (typeof value !== 'object' || value === null) {
    throw fail('ERR_API_BAD_REQUEST', [`"${DEPLOY_FIELD}" is not a JSON object`]);
  }
  return { ...value };
}

async function* filesOf(parts: AsyncIterable<Multipart>): DeployUpload['files'] {
  try {
    for await (const part of parts) {
      if (part.type !== 'file') throw fail('ERR_API_BAD_REQUEST', ['only files follow the first part of a deploy']);
      yield { path: part.filename, content: contentOf(part.file) };
      // A file that the store needs no more is read all the same: the next one comes behind it.
      part.file.resume();
    }
  } catch (error) {
    throw uploadError(error);
  }
}

async function* contentOf(file: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* file;
  } catch (error) {
    throw uploadError(error);
  }
}

/** The parser's errors have no codes of ours; each speaks of what the client sent. */
function uploadError(error: unknown): HobError {
  if (isHobError(error)) return error;
  const why = error instanceof Error ? error.message : 'it cannot be read';
  return fail('ERR_API_BAD_REQUEST', [`the upload is broken: ${why}`], { cause: error });
}

/** The upload as OpenAPI shows it. */
export const uploadBody = {
  type: 'object',
  required: ['deploy'],
  description:
    'The field `deploy` comes first, then one part for each file of the manifest; its file name is its path.',
  properties: {
    deploy: {
      type: 'object',
      required: ['config', 'manifest'],
      properties: {
        config: { type: 'object', description: 'The configuration; /schema/hob.json has its schema.' },
        manifest: {
          type: 'object',
          required: ['files'],
          properties: {
            files: {
              type: 'array',
              items: {
                type: 'object',
                required: ['path', 'bytes', 'sha256'],
                properties: {
                  path: { type: 'string' },
                  bytes: { type: 'integer', minimum: 0 },
                  sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
                },
              },
            },
          },
        },
      },
    },
  },
  additionalProperties: { type: 'string', contentMediaType: 'application/octet-stream' },
} as const;
