import { isAbsolute, relative } from 'node:path';

/** Whether a path is in a folder or is the folder. Both absolute, without symbolic links. */
export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith('../') && !isAbsolute(way);
}
