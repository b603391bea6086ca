export * from './filters.ts';
export * from './fork-request.ts';
export * from './library.ts';
export * from './lock.ts';
export * from './network.ts';
export * from './paths.ts';
