import type { IncomingHttpHeaders } from 'node:http';
import { type AsyncInvocations, BOARD_PATH, fail } from '@hob/contracts';
import type { FastifyInstance } from 'fastify';
import { basicPassword, bearerToken, type TokenVerifier } from './request-headers.ts';

/** What the board's routes need. */
export interface BoardRoutesOptions {
  readonly queue: Pick<AsyncInvocations, 'board'>;
  readonly tokens: TokenVerifier;
}

/** A browser asks for a password then, and sends it below this path only, unless another page asks by the same name. */
const CHALLENGE = 'Basic realm="hob board", charset="UTF-8"';

/** The board's pages have scripts, styles and data of their own, of nobody else, and are part of nobody else's page. */
const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
    "connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/**
 * Adds the board: pages for a browser, which cannot send a bearer token, so the token is also taken as the password of HTTP Basic, with any
 * name. A browser then sends it by itself, also when another site has it do so: hence there is nothing here but to look.
 */
export async function boardRoutes(app: FastifyInstance, { queue, tokens }: BoardRoutesOptions): Promise<void> {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers);
    const { authorization } = request.headers;
    const token = bearerToken(authorization) ?? basicPassword(authorization);
    if (token === undefined || !tokens.verify(token)) {
      reply.header('www-authenticate', CHALLENGE);
      throw fail('ERR_AUTH_REQUIRED', []);
    }
    // Before the body of a request is read.
    const isLook = request.method === 'GET' || request.method === 'HEAD';
    if (!isLook || isOfOtherSite(request.headers)) throw notFound(request);
  });
  const schema = { hide: true };
  app.all('/*', { schema }, async (request, reply) => {
    if (!request.url.startsWith(`${BOARD_PATH}/`)) throw notFound(request);
    const path = request.url.slice(BOARD_PATH.length);
    const answer = await queue.board.read(path);
    if (answer === undefined) throw notFound(request);
    const { contentType, body } = answer;
    // Files are those of a package, and have nothing to hide.
    reply.header('cache-control', path.startsWith('/static/') ? 'private, max-age=3600' : 'no-store');
    return reply.type(contentType).send(body);
  });
  app.all('', { schema }, (_request, reply) => reply.redirect(`${BOARD_PATH}/`, 308));
}

/** Whether a page of another site has the browser ask for a part of its own: it may do no more than link here. */
function isOfOtherSite({ 'sec-fetch-site': site = 'none', 'sec-fetch-mode': mode }: IncomingHttpHeaders): boolean {
  return site !== 'none' && site !== 'same-origin' && mode !== 'navigate';
}

function notFound({ method, url }: { readonly method: string; readonly url: string }): Error {
  return fail('ERR_API_NOT_FOUND', [method, url.slice(0, 200)]);
}
