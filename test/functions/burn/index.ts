/** Computes for as many ms as the query says. */
export default function burn(request: Request): Response {
  const until = performance.now() + Number(new URL(request.url).searchParams.get('ms') ?? 10);
  while (performance.now() < until);
  return new Response('done');
}
