/** What `effect` does, at most once for each event and each idempotency key. */
export { default } from '../effect/index.ts';
