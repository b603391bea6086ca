/** What a row of the table of attempts says. The tables are data: `*-attempts.ts` beside this file. */

/**
 * Who makes an attempt: JavaScript of the hostile function, a static C program, or nobody: then it is what the host's kernel
 * says of the live container.
 */
export type Maker = 'javascript' | 'native' | 'outside';

/** What the host has or lacks, where that changes a result. See `host-kind.ts`. */
export type HostFacet =
  | 'cgroup-v1'
  | 'cgroup-v2'
  | 'apparmor'
  | 'selinux'
  | 'no-lsm'
  | 'no-landlock'
  | 'before-linux-6.12'
  | 'no-ip-tables'
  | 'no-i386'
  | 'arm64';

/** The one right result; where it depends on the host, the first facet that the host has decides, else `*`. */
export type Expectation = string | (Readonly<Partial<Record<HostFacet, string>>> & { readonly '*': string });

export interface Attempt {
  readonly id: string;
  readonly by: Maker;
  /** Lines of checklist.md, and identifiers of its table. */
  readonly lines: readonly (number | string)[];
  readonly what: string;
  readonly expect: Expectation;
}

/** The result of an attempt that this kind of host has no place for. */
export const NOT_HERE = 'not here';

/** A row without its maker: what is attempted, the lines that it belongs to, and the result. */
type Row = readonly [what: string, lines: readonly (number | string)[], expect: Expectation];

export function attemptsBy(by: Maker, rows: Readonly<Record<string, Row>>): Attempt[] {
  return Object.entries(rows).map(([id, [what, lines, expect]]) => ({ id, by, what, lines, expect }));
}

/** What the attempt must give on a host with these facets. */
export function expectedOn(facets: ReadonlySet<HostFacet>, { expect }: Attempt): string {
  if (typeof expect === 'string') return expect;
  for (const [facet, result] of Object.entries(expect)) if (facets.has(facet as HostFacet)) return result;
  return expect['*'];
}
