import { expect, test } from 'vitest';
import { MethodReplacement } from '../../src/server/replace-method.js';

class Greeter {
  greet(name: unknown): unknown {
    return `hello ${String(name)}`;
  }
}

const louder = (target: object) =>
  new MethodReplacement(
    target,
    'greet',
    (original) =>
      (...args) =>
        `${String(original.apply(target, args))}!`,
  );

test('a replacement replaces the method until it is removed; both calls may be repeated', () => {
  const greeter = new Greeter();
  const replacement = louder(greeter);
  replacement.install();
  replacement.install();
  expect(greeter.greet('ada')).toBe('hello ada!');
  expect(Object.keys(greeter)).toEqual([]);
  replacement.remove();
  replacement.remove();
  expect(greeter.greet('ada')).toBe('hello ada');
  expect(Object.hasOwn(greeter, 'greet')).toBe(false);
});

test('a method of the object itself is restored', () => {
  const own = () => 'own';
  const greeter = { greet: own };
  const replacement = louder(greeter);
  replacement.install();
  expect(greeter.greet()).toBe('own!');
  replacement.remove();
  expect(greeter.greet).toBe(own);
});

test('a later replacement by other code is kept, and ours is not installed twice', () => {
  const greeter = new Greeter();
  const replacement = louder(greeter);
  replacement.install();
  const ours = greeter.greet.bind(greeter);
  const theirs = (name: unknown) => `<${String(ours(name))}>`;
  greeter.greet = theirs;
  replacement.remove();
  expect(greeter.greet).toBe(theirs);
  replacement.install();
  expect(greeter.greet('ada')).toBe('<hello ada!>');
});

test('a method that the object does not have is not added', () => {
  const target: Partial<Greeter> = {};
  const replacement = louder(target);
  replacement.install();
  expect('greet' in target).toBe(false);
  replacement.remove();
});

test('a replacement calls the current method of the class, which an agent may replace later', () => {
  const greeter = new Greeter();
  const replacement = louder(greeter);
  replacement.install();
  const { greet } = Greeter.prototype;
  Greeter.prototype.greet = function (name) {
    return `traced ${String(greet.call(this, name))}`;
  };
  expect(greeter.greet('ada')).toBe('traced hello ada!');
  Greeter.prototype.greet = greet;
});
