/** Observed values in buckets. */
export class Tally {
  readonly #bounds: readonly number[];
  /** How many fell into each bucket and into no smaller one; the last is above all bounds. */
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#sum += value;
  }

  /** The samples in Prometheus' text format. @param labels such as `function="hello"`, or ''. */
  samples(name: string, labels: string): string[] {
    const before = labels === '' ? '' : `${labels},`;
    const all = labels === '' ? '' : `{${labels}}`;
    let count = 0;
    const samples = this.#counts.map((inBucket, at) => {
      count += inBucket;
      return `${name}_bucket{${before}le="${this.#bounds[at] ?? '+Inf'}"} ${count}`;
    });
    return [...samples, `${name}_sum${all} ${this.#sum}`, `${name}_count${all} ${count}`];
  }
}

/** What a histogram is called, and its upper bounds, ascending. */
export interface HistogramDefinition {
  readonly name: string;
  readonly help: string;
  readonly bounds: readonly number[];
}

/**
 * A histogram for what is observed at every call, by function or not: an observation is an addition, where that of
 * `prom-client` took a tenth of a whole warm call. It is rendered beside the registry.
 */
export class CallHistogram {
  readonly #definition: HistogramDefinition;
  readonly #tallies = new Map<string, Tally>();

  constructor(definition: HistogramDefinition) {
    this.#definition = definition;
  }

  /** The tally of a function, made when first asked for; without a function, the one of a histogram without labels. */
  of(functionLabel?: string): Tally {
    // Function names are of letters, digits, hyphens and underscores: there is nothing to escape.
    const labels = functionLabel === undefined ? '' : `function="${functionLabel}"`;
    let tally = this.#tallies.get(labels);
    if (tally === undefined) this.#tallies.set(labels, (tally = new Tally(this.#definition.bounds)));
    return tally;
  }

  remove(functionLabel: string): void {
    this.#tallies.delete(`function="${functionLabel}"`);
  }

  /** The whole family in Prometheus' text format. */
  render(): string {
    const { name, help } = this.#definition;
    const samples = [...this.#tallies].flatMap(([labels, tally]) => tally.samples(name, labels));
    return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...samples, ''].join('\n');
  }
}
