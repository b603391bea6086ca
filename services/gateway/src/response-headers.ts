import { fail, type HobError } from '@hob/contracts';
import { hopByHop } from './request-headers.ts';

/** The headers of a function's response, fit to be sent. */
export interface CleanHeaders {
  /** Flat list without `content-length`. */
  readonly headers: readonly string[];
  /** The declared length of the body, or -1. */
  readonly contentLength: number;
}

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^[0-9]{1,15}$/;
/** Has a page take over other pages of the same address, those of other functions and of the board: no function may. */
const TAKE_OVER = 'service-worker-allowed';
/** Names that the gateway speaks for itself begin so; a function may not imitate them. */
const OWN_PREFIX = 'hob-';

/**
 * Makes of a function's headers what a client may get: hop-by-hop headers, hob's own, and names or values that are no
 * legal HTTP are dropped, so that a function can neither end the head early nor frame a second response.
 *
 * @param raw flat list: name, value, … as the container sent it; nothing of it is trusted.
 * @returns an ERR_FN_BAD_RESPONSE when the lengths contradict each other or all headers are too large together.
 */
export function cleanResponseHeaders(raw: readonly string[], bytesMax: number): CleanHeaders | HobError {
  const headers: string[] = [];
  let contentLength = -1;
  let bytes = 0;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase();
    const value = raw[at + 1] as string;
    if (hopByHop.has(name) || name.startsWith(OWN_PREFIX) || name === TAKE_OVER) continue;
    if (!NAME.test(name) || !VALUE.test(value)) continue;
    if (name === 'content-length') {
      const declared = LENGTH.test(value) ? Number(value) : -1;
      if (declared === -1 || (contentLength !== -1 && contentLength !== declared)) {
        return fail('ERR_FN_BAD_RESPONSE', ['its content-length is not one number']);
      }
      contentLength = declared;
      continue;
    }
    bytes += name.length + value.length + 4;
    if (bytes > bytesMax) return fail('ERR_FN_BAD_RESPONSE', [`its headers are larger than ${bytesMax} bytes`]);
    headers.push(name, value);
  }
  return { headers, contentLength };
}
