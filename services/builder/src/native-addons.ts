import { relative } from 'node:path';
import type { Plugin } from 'esbuild';

/** Refuses packages with machine code: no container has what such an addon was linked with. */
export const refuseNativeAddons: Plugin = {
  name: 'native-addons',
  setup(build) {
    build.onLoad({ filter: /\.node$/ }, ({ path }) => {
      const name = relative(build.initialOptions.absWorkingDir ?? '/', path);
      const text = `${name} is a native addon, which hob cannot run; use a package in JavaScript or WebAssembly`;
      return { errors: [{ text }] };
    });
  },
};
