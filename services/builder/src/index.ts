export { build, type BuildOptions, type BuiltBundle } from './build.ts';
