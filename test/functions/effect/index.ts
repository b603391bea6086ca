import { randomUUID } from 'node:crypto';

interface Context {
  readonly invocationId: string;
}

/**
 * Has a server outside record that this call was made, under a name that is the same each time that it is, and answers with what
 * the server says. A call of `/never` fails after that.
 */
export default async function effect(request: Request, { invocationId: id }: Context): Promise<Response> {
  const beganMs = `${Date.now()}`;
  const run = randomUUID();
  const { pathname, searchParams } = new URL(request.url);
  const bytes = `${(await request.arrayBuffer()).byteLength}`;
  const attempt = request.headers.get('hob-attempt') ?? '';
  const name = request.headers.get('idempotency-key') ?? id;
  const told = new URLSearchParams({ id, name, run, beganMs, attempt, bytes, call: searchParams.get('call') ?? '' });
  const recorded = await (await fetch(`http://93.184.216.34/?${told.toString()}`)).text();
  if (pathname === '/never') throw new Error('this one never succeeds');
  return new Response(recorded);
}
