import { RequestForFunctions, withRealRequest } from './lazy-request.ts';
import { ResponseForFunctions } from './lazy-response.ts';

const nativeFetch = globalThis.fetch;

/** Makes the globals `Request`, `Response` and `fetch` know the lazy objects. Calling it again changes nothing. */
export function installWebGlobals(): void {
  for (const [name, value] of Object.entries({ Request: RequestForFunctions, Response: ResponseForFunctions })) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  }
  globalThis.fetch = withRealRequest(nativeFetch);
}
