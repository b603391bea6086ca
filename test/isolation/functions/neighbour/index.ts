// Does no harm: it is what must stay well beside the others.
import { readlinkSync } from 'node:fs';

let calls = 0;

export default async function serve(request: Request): Promise<Response> {
  calls += 1;
  const text = request.method === 'POST' ? await request.text() : '';
  return Response.json({ calls, text, pidNamespace: readlinkSync('/proc/self/ns/pid') });
}
