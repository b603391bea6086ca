// Only callers with a token get here.
export default (): Response => new Response('come in');
