import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseInvocationTarget } from '../src/invocation-target.ts';

test('parseInvocationTarget() cuts off the prefix and keeps path and query as they are', () => {
  const cases: [string, string, number | string | undefined, string, string][] = [
    ['/fn/hello', 'hello', undefined, '/fn/hello', '/'],
    ['/fn/hello/', 'hello', undefined, '/fn/hello', '/'],
    ['/fn/hello?x=%20&y', 'hello', undefined, '/fn/hello', '/?x=%20&y'],
    ['/fn/h/a/../b//c?d=/e', 'h', undefined, '/fn/h', '/a/../b//c?d=/e'],
    ['/fn/hello@12/x', 'hello', 12, '/fn/hello@12', '/x'],
    ['/fn/hello@beta-2/x', 'hello', 'beta-2', '/fn/hello@beta-2', '/x'],
    ['/fn/a-b-9@1?@2', 'a-b-9', 1, '/fn/a-b-9@1', '/?@2'],
    ['/fn/hello//evil.example/', 'hello', undefined, '/fn/hello', '//evil.example/'],
    ['/fn/hello/x#y', 'hello', undefined, '/fn/hello', '/x'],
    [`/fn/${'a'.repeat(63)}`, 'a'.repeat(63), undefined, `/fn/${'a'.repeat(63)}`, '/'],
  ];
  for (const [url, name, qualifier, prefix, path] of cases) {
    assert.deepEqual(parseInvocationTarget(url), { name, qualifier, prefix, path }, url);
  }
});

test('parseInvocationTarget() refuses what can be no name, no version and no alias', () => {
  const bad = ['', '/', '?x', 'A', '1a', '-a', 'a-', 'a_b', 'a.b', 'a%62', 'ä', 'a'.repeat(64), '@1', 'a-@1'];
  const badVersions = [
    'a@',
    'a@0',
    'a@01',
    'a@-1',
    'a@1.0',
    'a@X',
    'a@1@2',
    'a@x@2',
    'a@x-',
    'a@1e3',
    `a@${'9'.repeat(13)}`,
  ];
  for (const rest of [...bad, ...badVersions]) assert.equal(parseInvocationTarget(`/fn/${rest}`), undefined, rest);
});

test('parseInvocationTarget() agrees with the pattern of names for every URL', () => {
  const pattern =
    /^\/fn\/([a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:@([1-9][0-9]{0,11}|[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?))?(?:[/?].*)?$/s;
  const part = fc.constantFrom('a', 'z9', '-', '@', '1', '0', '/', '?', '.', 'A', '%41', 'b-c', '');
  const segment = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.array(part, { maxLength: 8 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(segment, (rest) => {
      const url = `/fn/${rest.replaceAll('#', '')}`;
      const expected = pattern.exec(url);
      const target = parseInvocationTarget(url);
      assert.equal(target?.name, expected?.[1]);
      const qualifier = expected?.[2];
      assert.equal(target?.qualifier, /^[0-9]/.test(qualifier ?? '') ? Number(qualifier) : qualifier);
      if (target !== undefined) assert.ok(target.path.startsWith('/') && url.startsWith(target.prefix));
    }),
    { numRuns: 2000 },
  );
});
