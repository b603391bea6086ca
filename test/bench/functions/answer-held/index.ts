// Answers what functions/answer answers, when the body of the request is complete: until then it has its container for itself.
const headers = { 'content-type': 'text/plain; charset=utf-8' };
const body = 'x'.repeat(100);

export default async (request: Request): Promise<Response> => {
  await request.arrayBuffer();
  return new Response(body, { headers });
};
