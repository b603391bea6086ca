import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asHobError, catalogue, type ErrorCode, type ErrorSpec, fail, HobError, isHobError } from '../src/index.ts';

const rows = Object.entries(catalogue) as [ErrorCode, ErrorSpec][];

test('catalogue names each code ERR_<AREA>_<WHAT> or ERR_<WHAT>, in capitals', () => {
  for (const [code] of rows) assert.match(code, /^ERR(?:_[A-Z0-9]+)+$/);
});

test('catalogue gives each kind of error only statuses that say whose move it is', () => {
  const allowed = {
    caller: (http: number) => http >= 400 && http < 500 && http !== 429,
    capacity: (http: number) => http === 429 || http === 503 || http === 507,
    function: (http: number) => http === 502 || http === 504,
    platform: (http: number) => http === 500 || http === 502,
  };
  for (const [code, { kind, http }] of rows) assert.ok(allowed[kind](http), `${code}: ${kind} with ${http}`);
});

test('catalogue tells callers to come back exactly when there was no room', () => {
  for (const [code, { kind, retry }] of rows) {
    assert.equal(retry === 'after-backoff', kind === 'capacity', `${code}: ${kind}, ${retry}`);
  }
});

test('catalogue has a title of its own for each code: one short line without a full stop', () => {
  const titles = new Set(rows.map(([, { title }]) => title));
  assert.equal(titles.size, rows.length);
  for (const title of titles) assert.match(title, /^[A-Za-z][^\n]{3,60}[^.\n]$/);
});

test('catalogue makes a message of its detail for each code', () => {
  for (const [code, spec] of rows) {
    const message = (spec.message as (...detail: unknown[]) => string)('first', 'second', 'third', 'fourth');
    assert.ok(message.length > 0, code);
    assert.doesNotMatch(message, /undefined|\[object/);
    const details = ['first', 'second', 'third', 'fourth'].slice(0, spec.message.length);
    for (const detail of details) assert.ok(message.includes(detail), `${code} leaves out a detail`);
  }
});

test('fail keeps code, message, spec and cause', () => {
  const cause = new Error('underneath');
  const error = fail('ERR_FN_VERSION_NOT_FOUND', ['hello', '7'], { cause });
  assert.ok(error instanceof HobError);
  assert.equal(error.code, 'ERR_FN_VERSION_NOT_FOUND');
  assert.equal(error.message, 'function "hello" has no version 7');
  assert.equal(error.cause, cause);
  assert.equal(error.spec, catalogue.ERR_FN_VERSION_NOT_FOUND);
});

test('isHobError knows errors of another copy of the package, and nothing else', () => {
  assert.ok(isHobError(fail('ERR_INTERNAL', [])));
  assert.ok(isHobError(Object.assign(new Error('copy'), { code: 'ERR_INTERNAL' })));
  for (const other of [
    new Error('plain'),
    Object.assign(new Error('no entry'), { code: 'ENOENT' }),
    Object.assign(new Error('inherited'), { code: 'toString' }),
    { code: 'ERR_INTERNAL' },
    undefined,
    null,
    'ERR_INTERNAL',
  ]) {
    assert.equal(isHobError(other), false);
  }
});

test('asHobError keeps a catalogued error and hides any other behind ERR_INTERNAL', () => {
  const known = fail('ERR_SCHED_CLOSED', []);
  assert.equal(asHobError(known), known);
  for (const other of [new Error('secret'), 'secret', undefined]) {
    const error = asHobError(other);
    assert.equal(error.code, 'ERR_INTERNAL');
    assert.equal(error.cause, other);
    assert.doesNotMatch(error.message, /secret/);
  }
});
