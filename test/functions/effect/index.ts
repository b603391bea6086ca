interface Context {
  readonly invocationId: string;
}

/** Tells a server outside which call this is. A call of `/never` fails after that. */
export default async function effect(request: Request, { invocationId }: Context): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const { byteLength } = await request.arrayBuffer();
  const told = new URLSearchParams({ id: invocationId, call: searchParams.get('call') ?? '', bytes: `${byteLength}` });
  await (await fetch(`http://93.184.216.34/?${told.toString()}`)).text();
  if (pathname === '/never') throw new Error('this one never succeeds');
  return new Response('done');
}
