/** What the two reporters read of the events of `node --test`. */
import { basename, relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

/** How one test ended. */
export interface Verdict {
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly title: string;
  /** Relative to the working folder, or empty when unknown. */
  readonly file: string;
  readonly durationMs: number;
  /** Why it was skipped, or empty. */
  readonly reason: string;
  /** Set on failures that have something to tell beside that a subtest failed. */
  readonly error: Error | undefined;
}

/**
 * The verdict that an event brings, or undefined when it brings none.
 *
 * Suites are no tests, but one whose hook failed is a failure. A file in which no test was declared passes for Node;
 * here it fails, because it proves nothing. Tests marked as still to be done count as skipped.
 */
export function verdictOf(event: TestEvent): Verdict | undefined {
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return undefined;
  const { data } = event;
  const file = data.file === undefined ? '' : relative(process.cwd(), data.file);
  const base = { title: data.name, file, durationMs: data.details.duration_ms };
  const { reason, skipped } = skipOf(data.skip, data.todo);
  if (event.type === 'test:fail' && !skipped) {
    const { error } = event.data.details;
    const byChild = 'failureType' in error && error.failureType === 'subtestsFailed';
    if (byChild && data.details.type === 'suite') return undefined;
    return { ...base, outcome: 'failed', reason: '', error: byChild ? undefined : error };
  }
  if (data.details.type === 'suite') return undefined;
  if (skipped) return { ...base, outcome: 'skipped', reason, error: undefined };
  if (data.nesting === 0 && file !== '' && basename(data.name) === basename(file)) {
    return { ...base, outcome: 'failed', reason: '', error: new Error('the file declares no test') };
  }
  return { ...base, outcome: 'passed', reason: '', error: undefined };
}

function skipOf(skip: string | boolean | undefined, todo: string | boolean | undefined) {
  const given = skip ?? todo;
  const skipped = given !== undefined && given !== false;
  return { skipped, reason: typeof given === 'string' ? given : skipped ? 'no reason given' : '' };
}
