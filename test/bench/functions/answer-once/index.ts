// The same as answer, in a fresh container for each call.
export { default } from '../answer/index.ts';
