// Takes as long as it is told to.
import { setTimeout as delay } from 'node:timers/promises';

export default async (request: Request): Promise<Response> => {
  await delay(Number(new URL(request.url).searchParams.get('ms')));
  return new Response('done');
};
