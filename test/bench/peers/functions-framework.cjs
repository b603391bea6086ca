'use strict';
// A function for @google-cloud/functions-framework, answering what functions/answer answers.
const bodies = new Map([100, 100_000].map((bytes) => [`/${bytes}`, 'x'.repeat(bytes)]));

exports.answer = (request, response) => {
  const body = bodies.get(request.path);
  if (body === undefined) response.sendStatus(404);
  else response.type('text/plain; charset=utf-8').send(body);
};
