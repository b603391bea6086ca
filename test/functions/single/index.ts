// One container, one call at a time; a call to /hold lasts until its caller goes away.
interface Context {
  readonly signal: AbortSignal;
}

export default async function single(request: Request, ctx: Context): Promise<Response> {
  if (new URL(request.url).pathname === '/hold') {
    console.log('holding');
    await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  return new Response('done');
}
