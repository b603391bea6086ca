import { randomUUID } from 'node:crypto';

interface Context {
  readonly invocationId: string;
}

/** Tells a server outside which call this is, and answers with what is different each time that it is made. A call of `/never` fails after that. */
export default async function effect(request: Request, { invocationId: id }: Context): Promise<Response> {
  const beganMs = `${Date.now()}`;
  const run = randomUUID();
  const { pathname, searchParams } = new URL(request.url);
  const bytes = `${(await request.arrayBuffer()).byteLength}`;
  const attempt = request.headers.get('hob-attempt') ?? '';
  const told = new URLSearchParams({ id, run, beganMs, attempt, bytes, call: searchParams.get('call') ?? '' });
  await (await fetch(`http://93.184.216.34/?${told.toString()}`)).text();
  if (pathname === '/never') throw new Error('this one never succeeds');
  return new Response(run);
}
