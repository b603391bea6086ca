// What the servers of bench/peers answer, byte for byte: a body of as many bytes as the path says.
const headers = { 'content-type': 'text/plain; charset=utf-8' };
const bodies = new Map([100, 100_000].map((bytes) => [`/${bytes}`, 'x'.repeat(bytes)]));

export default (request: Request): Response => {
  const body = bodies.get(new URL(request.url).pathname);
  return body === undefined ? new Response('', { status: 404 }) : new Response(body, { headers });
};
