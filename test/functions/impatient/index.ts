// Has a second for an answer and needs longer: by waiting, or by never giving the event loop back.
export default async function impatient(request: Request): Promise<Response> {
  switch (new URL(request.url).pathname) {
    case '/wait':
      return new Promise<never>(() => undefined);
    case '/spin':
      for (let turns = 0; ; turns += 1) if (turns < 0) return new Response('never');
    case '/half':
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode('the first half')),
        }),
      );
    default:
      return new Response('in time');
  }
}
