// The same as answer, in one container for all callers.
export { default } from '../answer/index.ts';
