/** Whose move it is: the caller sent something wrong, there is no room now, the function failed, or hob did. */
export type ErrorKind = 'caller' | 'capacity' | 'function' | 'platform';

/** One row of the catalogue. */
export interface ErrorSpec {
  /** HTTP status that the gateway answers with. */
  readonly http:
    | 400
    | 401
    | 403
    | 404
    | 405
    | 408
    | 409
    | 413
    | 414
    | 415
    | 422
    | 429
    | 431
    | 499
    | 500
    | 502
    | 503
    | 504
    | 507;
  readonly kind: ErrorKind;
  /** What the caller should do next. */
  readonly retry: 'never' | 'same-request' | 'after-backoff';
  /** Short, fixed summary: the `title` of the problem document. */
  readonly title: string;
  readonly message: (...detail: never[]) => string;
}
