'use strict';
// A program: fastify alone, answering what functions/answer answers. It prints its address and ends with its input.
// Plain JavaScript, so that no peer pays for stripping types.
const { fastify } = require('fastify');

const server = fastify();
for (const bytes of [100, 100_000]) {
  const body = 'x'.repeat(bytes);
  server.get(`/${bytes}`, async (_request, reply) => reply.type('text/plain; charset=utf-8').send(body));
}
server.listen({ host: '127.0.0.1', port: 0 }, (error, address) => {
  if (error) throw error;
  process.stdout.write(`${address}\n`);
});
process.stdin.resume().once('end', () => {
  void server.close();
  server.server.closeAllConnections();
});
