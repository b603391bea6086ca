'use strict';
// A program: the work of functions/heavy in a server of nothing but Node. It prints its address and ends with its input.
const { createServer } = require('node:http');

void import('../functions/heavy/work.mjs').then(({ allocate, buffers, compute }) => {
  const works = new Map([
    ['/compute', compute],
    ['/allocate', allocate],
    ['/buffers', buffers],
  ]);
  const server = createServer((request, response) => response.end(String(works.get(request.url)())));
  server.listen(0, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`));
  process.stdin.resume().once('end', () => {
    server.close();
    server.closeAllConnections();
  });
});
