import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { BundleManifest, FunctionConfig } from '@hob/contracts';

const CRLF = '\r\n';

/** A body of multipart/form-data, with the headers that belong to it. */
export interface MultipartUpload {
  readonly body: Readable;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Makes the upload of a bundle: the field `deploy`, then each file of the manifest under its path. Files are read from
 * `folder` while they are sent. FormData would not do: it writes a `"` of a path as %22, and so does a path that has %22.
 */
export function bundleUpload(
  deploy: { readonly config: FunctionConfig; readonly manifest: BundleManifest },
  folder: string,
): MultipartUpload {
  const boundary = `hob-${randomUUID()}`;
  const head = (disposition: string, type: string): Buffer => {
    const lines = [`--${boundary}`, `content-disposition: form-data; ${disposition}`, `content-type: ${type}`, '', ''];
    return Buffer.from(lines.join(CRLF));
  };
  const field = Buffer.concat([head('name="deploy"', 'application/json'), Buffer.from(JSON.stringify(deploy) + CRLF)]);
  const files = deploy.manifest.files.map(({ path, bytes }) => {
    // A path in a manifest has neither backslashes nor control characters.
    const quoted = `"${path.replaceAll('"', '\\"')}"`;
    return { path, bytes, head: head(`name="file"; filename=${quoted}`, 'application/octet-stream') };
  });
  const end = Buffer.from(`--${boundary}--${CRLF}`);

  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield field;
    for (const file of files) {
      yield file.head;
      yield* createReadStream(join(folder, file.path)) as AsyncIterable<Buffer>;
      yield Buffer.from(CRLF);
    }
    yield end;
  }

  const filesLength = files.reduce((sum, file) => sum + file.head.length + file.bytes + CRLF.length, 0);
  return {
    body: Readable.from(pieces(), { objectMode: false }),
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(field.length + filesLength + end.length),
    },
  };
}
