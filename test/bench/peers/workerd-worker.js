// A worker for workerd, answering what functions/answer answers.
const headers = { 'content-type': 'text/plain; charset=utf-8' };
const bodies = new Map([100, 100_000].map((bytes) => [`/${bytes}`, 'x'.repeat(bytes)]));

export default {
  fetch(request) {
    const body = bodies.get(new URL(request.url).pathname);
    return body === undefined ? new Response('', { status: 404 }) : new Response(body, { headers });
  },
};
