import { allocate, buffers, compute } from './work.mjs';

const works = new Map<string, () => number>([
  ['/compute', compute],
  ['/allocate', allocate],
  ['/buffers', buffers],
]);

export default (request: Request): Response => {
  const work = works.get(new URL(request.url).pathname);
  return work === undefined ? new Response('', { status: 404 }) : new Response(String(work()));
};
