/** What a PromQL expression names. */
export interface PromqlNames {
  /** Each selector: a metric, and the labels that it is matched by with their values. */
  readonly selectors: readonly { readonly metric: string; readonly matchers: readonly Matcher[] }[];
  /** Labels of by(), without(), on() and the like. */
  readonly grouping: readonly string[];
}

interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

const functions = new Set(['rate', 'increase', 'histogram_quantile', 'sum', 'max', 'min', 'avg', 'count', 'topk']);
const groupings = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const operators = new Set(['and', 'or', 'unless', 'bool', 'offset']);
const token =
  /"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[a-zA-Z_:][\w:]*|[0-9.]+(?:[eE][+-]?[0-9]+)?|=~|!~|!=|==|>=|<=|[-+*/%^(){},=<>]/y;

function tokensOf(expression: string): string[] {
  const tokens: string[] = [];
  for (let at = 0; at < expression.length;) {
    if (/\s/.test(expression.charAt(at))) {
      at += 1;
      continue;
    }
    token.lastIndex = at;
    const [found] = token.exec(expression) ?? [];
    if (found === undefined) throw new Error(`cannot read ${expression.slice(at)}`);
    tokens.push(found);
    at += found.length;
  }
  return tokens;
}

/** Reads the names out of an expression; enough of PromQL for the queries of this repository. */
export function promqlNames(expression: string): PromqlNames {
  const tokens = tokensOf(expression);
  const selectors: { metric: string; matchers: Matcher[] }[] = [];
  const grouping: string[] = [];
  const isName = (text: string | undefined): boolean => text !== undefined && /^[a-zA-Z_:]/.test(text);
  for (let at = 0; at < tokens.length; at++) {
    const name = tokens[at] as string;
    if (!isName(name) || operators.has(name)) continue;
    if (groupings.has(name)) {
      for (at += 2; tokens[at] !== ')'; at++) if (isName(tokens[at])) grouping.push(tokens[at] as string);
    } else if (functions.has(name)) continue;
    else if (tokens[at + 1] === '(') throw new Error(`${name} is no function that is known here`);
    else {
      const matchers: Matcher[] = [];
      if (tokens[at + 1] === '{') {
        for (at += 2; tokens[at] !== '}'; at += tokens[at + 3] === ',' ? 4 : 3) {
          const [label, operator, value] = tokens.slice(at, at + 3) as [string, string, string];
          matchers.push({ label, operator, value: JSON.parse(value) as string });
        }
      }
      selectors.push({ metric: name, matchers });
    }
  }
  return { selectors, grouping };
}
