// Greets: JSON in, JSON out, or plain text when the event asks for it.
//
//     curl http://127.0.0.1:8080/fn/hello
//     curl http://127.0.0.1:8080/fn/hello -d '{"name":"Ada"}'
//     curl http://127.0.0.1:8080/fn/hello -d '{"name":"Ada","as":"text"}'

interface Greeting {
  readonly name?: unknown;
  readonly as?: unknown;
}

interface Context {
  readonly invocationId: string;
}

/** `event` is the parsed body, undefined when there was none; what is returned becomes the JSON of the answer. */
export const handler = async (event: Greeting | null | undefined, context: Context) => {
  const name = typeof event?.name === 'string' && event.name !== '' ? event.name : 'world';
  const greeting = `${process.env['GREETING'] ?? 'Hello'}, ${name}!`;
  if (event?.as === 'text') {
    return new Response(`${greeting}\n`, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
  }
  return { greeting, invocationId: context.invocationId };
};
