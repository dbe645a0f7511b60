import { afterEach, describe, expect, test, vi } from 'vitest';
import { describeFirst, reasonFor } from '../../src/values/issues.js';

const longKey = 'k'.repeat(1_000_000);

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the reason', () => {
  test.for([
    ['invalid message: expected a text', { message: 'expected a text' }],
    ['invalid message: expected a text', { message: 'expected a text', path: [] }],
    ['invalid message at text: expected a text', { message: 'expected a text', path: ['text'] }],
    ['invalid message at items.0.name: too long', { message: 'too long', path: ['items', 0, 'name'] }],
    [
      'invalid message at items.0.name: too long',
      { message: 'too long', path: [{ key: 'items' }, { key: 0 }, { key: 'name' }] },
    ],
    ['invalid message at Symbol(a): no', { message: 'no', path: [Symbol('a')] }],
    ['invalid message at a', { message: '', path: ['a'] }],
    ['invalid message', { message: '' }],
  ] as const)('is %j', ([reason, issue]) => {
    expect(reasonFor([issue])).toBe(reason);
  });

  test('tells only the first of many issues', () => {
    const issues = Array.from({ length: 100_000 }, (_, i) => ({ message: 'too long', path: [i] }));
    expect(reasonFor(issues)).toBe('invalid message at 0: too long');
  });

  test.for([
    [],
    [null],
    ['text'],
    [{}],
    [{ message: Symbol('m') }],
    [{ message: 'm', path: 'text' }],
    [{ message: 'm', path: [null] }],
    [{ message: 'm', path: [{}] }],
    [{ message: 'm', path: 7 }],
    [{ message: { toString: () => undefined } }],
    [{ message: Object.create(null) as object }],
    [
      {
        get message(): string {
          throw new Error('a getter');
        },
      },
    ],
  ])('comes from issues that break the standard, too (%#)', (issues) => {
    expect(reasonFor(issues as never)).toMatch(/^invalid message/);
  });

  test('has no details in production', () => {
    vi.stubEnv('NODE_ENV', 'production');
    expect(reasonFor([{ message: 'expected a text', path: ['text'] }])).toBe('invalid message');
  });

  test.for([
    ['a long text', 'x'.repeat(1_000), 123],
    ['a long text of two bytes each', 'é'.repeat(1_000), 122],
    ['a long text of four bytes each', '😀'.repeat(1_000), 120],
    ['halves of surrogate pairs', '\ud83d'.repeat(1_000), 122],
    ['control characters', '\0\r\n'.repeat(100), 123],
  ] as const)('has at most 123 bytes and ends at a character: %s', ([, message, bytes]) => {
    const reason = reasonFor([{ message }]);
    expect(Buffer.byteLength(reason)).toBe(bytes);
    expect(Buffer.from(reason).toString()).toBe(reason);
    expect(reason.endsWith('…')).toBe(true);
  });

  test('has at most 123 bytes whatever the path', () => {
    for (const path of [
      [longKey],
      Array<string>(100_000).fill('key'),
      [Symbol(longKey)],
      [{ key: longKey }],
    ]) {
      const reason = reasonFor([{ message: 'm', path }]);
      expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
      expect(reason).toMatch(/^invalid message at /);
    }
  });
});

test('the description of the first issue is bounded, since a client chooses keys and texts', () => {
  expect(describeFirst([{ message: longKey, path: [longKey, longKey] }]).length).toBeLessThan(1_000);
});
