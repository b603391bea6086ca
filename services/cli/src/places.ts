import { fileURLToPath } from 'node:url';

/** The repository's top folder, which hob runs from. */
const top = new URL('../../../', import.meta.url);

/** The same as a path, without a slash at its end. */
export const topFolder = fileURLToPath(top).slice(0, -1);

/** The root filesystem of containers that the set-up built. */
export const rootfsPath = fileURLToPath(new URL('.hob/rootfs/current', top));

/** What the set-up compiles of native/. Named here once more, so that `hob doctor` runs where nothing can be loaded. */
export const libraryPaths = ['libhob.so', 'libhobfork.so', 'hob-drop'].map((name) =>
  fileURLToPath(new URL(`native/dist/${name}`, top)),
);
