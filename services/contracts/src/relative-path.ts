/** Also the separators of lines that are no control characters: a path is shown, logged and listed by line. */
const controlCharacter = /[\p{Cc}\u2028\u2029]/u;

/**
 * What keeps a string from being a path below some folder: relative, with `/`, in its shortest form, never upwards.
 *
 * @returns the end of a sentence whose subject is the path, such as `leads upwards`; undefined when nothing does.
 */
export function describePathProblem(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (!path.isWellFormed()) return 'is not well-formed Unicode';
  if (controlCharacter.test(path)) return 'has a control character';
  if (path.includes('\\')) return 'has a backslash; paths are written with /';
  if (path.startsWith('/')) return 'is absolute; it must be relative';
  const names = path.split('/');
  if (names.includes('..')) return 'leads upwards (..)';
  if (names.includes('.') || names.includes('')) return 'is not in its shortest form';
  return undefined;
}
