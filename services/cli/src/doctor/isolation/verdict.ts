import type { ContainerSight, Sight } from './sight.ts';

/** How a host holds one line of the checklist. */
export interface Verdict {
  /**
   * `weaker`: it holds, but less than on other hosts. `missing`: it does not hold. `unknown`: it was not looked at, since that
   * needs root.
   */
  readonly state: 'enforced' | 'weaker' | 'missing' | 'unknown';
  readonly found: string;
  /** What follows from it for the operator; only when the state is `weaker` or `missing`. */
  readonly means?: string;
}

/** A line of the checklist, with what this host makes of it. */
export interface IsolationLine extends Verdict {
  /** 1 to 26. */
  readonly line: number;
  readonly title: string;
}

/** Judges one line. */
export type Judge = (sight: Sight) => Verdict;

export function enforced(found: string): Verdict {
  return { state: 'enforced', found };
}

export function weaker(found: string, means: string): Verdict {
  return { state: 'weaker', found, means };
}

export function missing(found: string, means: string): Verdict {
  return { state: 'missing', found, means };
}

/** What a line says when all is well, and what a fault of it means. */
interface Words {
  readonly found: string;
  readonly means: string;
}

/**
 * Looks at a container of each kind.
 *
 * @param faultOf what is wrong with it, in words; undefined when nothing is.
 */
export function inEach({ found, means }: Words, faultOf: (container: ContainerSight) => string | undefined): Judge {
  return ({ containers }) => {
    const faults = containers.flatMap((container) => {
      const fault = faultOf(container);
      return fault === undefined ? [] : [`${container.kind}: ${fault}`];
    });
    return faults.length === 0 ? enforced(found) : missing(faults.join('; '), means);
  };
}

/** The first verdict that is not `enforced`, else the last. */
export function worst(first: Verdict, ...rest: readonly Verdict[]): Verdict {
  const all = [first, ...rest];
  return all.find(({ state }) => state === 'missing') ?? all.find(({ state }) => state !== 'enforced') ?? first;
}
