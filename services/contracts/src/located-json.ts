import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { fail } from './hob-error.ts';

/** The deepest nesting that is read; hob.json needs two levels. */
const DEPTH_MAX = 32;

/** The parser's numbers of its tokens. They are a `const enum`, which a file that is compiled on its own cannot use. */
const OPEN_BRACE = 1;
const CLOSE_BRACE = 2;
const OPEN_BRACKET = 3;
const CLOSE_BRACKET = 4;
const END_OF_FILE = 17;

/** Something wrong at a place. */
export interface Problem {
  /** Keys and indexes from the root. */
  readonly path: readonly (string | number)[];
  /** `file:line:column` when the text is known. */
  readonly at?: string;
  readonly what: string;
}

/** JSON with comments and trailing commas, as a value that still knows where its parts were written. */
export interface LocatedJson {
  readonly value: unknown;
  /** Keys that were written twice, and keys that no object may have. */
  readonly problems: readonly Problem[];
  /** `file:line:column` of a path's key, of an array's entry, or of the nearest thing around it that was written. */
  at(path: readonly (string | number)[]): string;
}

/**
 * Reads JSON with comments and trailing commas.
 *
 * @param file what messages call the text.
 * @throws ERR_CONFIG_SYNTAX with line and column, counted from 1; columns count UTF-16 code units, as editors do.
 */
export function parseLocatedJson(text: string, file: string): LocatedJson {
  const lines = new Lines(text, file);
  refuseDepth(text, lines);
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const error = errors[0];
  if (error !== undefined) throw lines.syntaxError(error.offset, readable(printParseErrorCode(error.error)));
  if (root === undefined) throw lines.syntaxError(0, 'the file is empty');
  const problems: Problem[] = [];
  const value = toValue(root, [], (node, path, what) => problems.push({ path, at: lines.at(node.offset), what }));
  return { value, problems, at: (path) => lines.at(findNode(root, path).offset) };
}

/** `PropertyNameExpected` to `property name expected`. */
function readable(code: string): string {
  return code.replaceAll(/(?<=[a-z])[A-Z]/g, ' $&').toLowerCase();
}

/** The parser calls itself for each level, so depth is limited before it runs. */
function refuseDepth(text: string, lines: Lines): void {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (let kind: number = scanner.scan(); kind !== END_OF_FILE; kind = scanner.scan()) {
    if (kind === OPEN_BRACE || kind === OPEN_BRACKET) depth += 1;
    if (kind === CLOSE_BRACE || kind === CLOSE_BRACKET) depth -= 1;
    if (depth > DEPTH_MAX) throw lines.syntaxError(scanner.getTokenOffset(), `nested deeper than ${DEPTH_MAX} levels`);
  }
}

type Report = (node: Node, path: readonly (string | number)[], what: string) => void;

function toValue(node: Node, path: readonly (string | number)[], report: Report): unknown {
  if (node.type === 'array')
    return (node.children ?? []).map((child, index) => toValue(child, [...path, index], report));
  if (node.type !== 'object') return node.value;
  const result: Record<string, unknown> = {};
  for (const property of node.children ?? []) {
    const [keyNode, valueNode] = property.children ?? [];
    if (keyNode === undefined || valueNode === undefined) continue;
    const key = String(keyNode.value);
    const keyPath = [...path, key];
    if (key === '__proto__') report(keyNode, keyPath, 'is not allowed as a key');
    else if (Object.hasOwn(result, key)) report(keyNode, keyPath, 'is set twice');
    else result[key] = toValue(valueNode, keyPath, report);
  }
  return result;
}

/** The key or array entry at a path, or the last one on the way to it that exists. */
function findNode(root: Node, path: readonly (string | number)[]): Node {
  let place = root;
  let node: Node | undefined = root;
  for (const step of path) {
    const children: Node[] = node?.children ?? [];
    const found: Node | undefined =
      node?.type === 'array' ? children[Number(step)] : children.find((child) => child.children?.[0]?.value === step);
    if (found === undefined) break;
    place = found;
    node = found.type === 'property' ? found.children?.[1] : found;
  }
  return place;
}

/** Turns offsets into `file:line:column`. */
class Lines {
  readonly #text: string;
  readonly #file: string;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  at(offset: number): string {
    const { line, column } = this.#position(offset);
    return `${this.#file}:${line}:${column}`;
  }

  syntaxError(offset: number, why: string): Error {
    const { line, column } = this.#position(offset);
    return fail('ERR_CONFIG_SYNTAX', [this.#file, line, column, why]);
  }

  #position(offset: number): { readonly line: number; readonly column: number } {
    const before = this.#text.slice(0, offset).split(/\r\n|\n|\r/);
    return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
  }
}
