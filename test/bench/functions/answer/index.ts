// What bench/peers/bare-fastify.cjs answers, byte for byte.
const headers = { 'content-type': 'application/json; charset=utf-8' };

export default (): Response => Response.json({ hello: 'world' }, { headers });
