import { createHash } from 'node:crypto';
import { BUNDLE_CODE, bundleDigest, type BundleManifest, checkManifest } from '@hob/contracts';
import { FormData, request } from 'undici';
import type { HobServer } from './hob-server.ts';

/** A bundle that needs no building. */
export interface PlainBundle {
  readonly digest: string;
  readonly manifest: BundleManifest;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** @param code an ES module with a handler. @param asset what is beside it. */
export function plainBundle(code: string, asset: Buffer): PlainBundle {
  const files = new Map([
    [BUNDLE_CODE, Buffer.from(code)],
    ['asset.bin', asset],
  ]);
  const manifest = checkManifest({
    files: [...files].map(([path, content]) => ({
      path,
      bytes: content.byteLength,
      sha256: createHash('sha256').update(content).digest('hex'),
    })),
  });
  return { digest: bundleDigest(manifest), manifest, files };
}

/** Deploys without the command. @returns the status, once hob has answered. @throws when it does not. */
export async function upload(hob: HobServer, name: string, { manifest, files }: PlainBundle): Promise<number> {
  const body = new FormData();
  body.append('deploy', JSON.stringify({ config: { name, memoryMb: 128 }, manifest }));
  for (const [path, content] of files) body.append('file', new Blob([new Uint8Array(content)]), path);
  const headers = { authorization: `Bearer ${hob.token}` };
  const answer = await request(`${hob.url}/v1/functions/${name}/versions`, { method: 'POST', headers, body });
  await answer.body.dump();
  return answer.statusCode;
}
