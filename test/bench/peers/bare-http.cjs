'use strict';
// A program: a server in nothing but Node. It prints its address and ends with its input.
// Plain JavaScript, so that no peer pays for stripping types.
const { createServer } = require('node:http');

const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end('{"hello":"world"}');
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`));
process.stdin.resume().once('end', () => {
  server.close();
  server.closeAllConnections();
});
