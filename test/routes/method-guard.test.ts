import { expect, test } from 'vitest';
import { MethodGuard } from '../../src/routes/method-guard.js';

class Base {
  value = 1;
  read(): number {
    return this.value;
  }
}
class Derived extends Base {
  override read(): number {
    return super.read() * 10;
  }
}

function guardReads() {
  const calls: unknown[][] = [];
  const guard = new MethodGuard<Base>(['read', 'write'], (target, name, args) => {
    calls.push([target, name, ...args]);
  });
  return { calls, guard };
}

test('the function runs before a method of the class, and the method gets its receiver and arguments', () => {
  const { calls, guard } = guardReads();
  const object = new Derived();
  guard.install(object);
  expect(Reflect.apply(object.read, object, ['a', 'b'])).toBe(10);
  expect(calls).toEqual([[object, 'read', 'a', 'b']]);
  expect(object).toBeInstanceOf(Derived);
  expect('write' in object).toBe(false);
  expect(Object.keys(object)).toEqual(['value']);
});

test('guarded objects of one class share a prototype, and other objects of the class stay unchanged', () => {
  const { calls, guard } = guardReads();
  const [one, two, free] = [new Base(), new Base(), new Base()];
  guard.install(one);
  guard.install(two);
  expect(Object.getPrototypeOf(one)).toBe(Object.getPrototypeOf(two));
  expect(Object.getPrototypeOf(free)).toBe(Base.prototype);
  free.read();
  expect(calls).toEqual([]);
});

test('it runs once if the guard is installed twice, and also before a method of the object itself', () => {
  const { calls, guard } = guardReads();
  const object = Object.assign(new Base(), { read: () => 7 });
  guard.install(object);
  guard.install(object);
  expect(object.read()).toBe(7);
  expect(calls).toHaveLength(1);
});

test('the method does not run if the function throws', () => {
  const guard = new MethodGuard<{ run(): void }>(['run'], () => {
    throw new Error('not now');
  });
  let ran = false;
  const object = { run: () => void (ran = true) };
  guard.install(object);
  expect(() => object.run()).toThrow('not now');
  expect(ran).toBe(false);
});

test('a guarded method calls the current method of the class', () => {
  const { guard } = guardReads();
  class Traced extends Base {}
  const object = new Traced();
  guard.install(object);
  Object.assign(Traced.prototype, { read: () => 'traced' });
  expect(object.read()).toBe('traced');
});

test('a method that cannot be replaced stays unchanged', () => {
  const { calls, guard } = guardReads();
  const object = new Base();
  Object.defineProperty(object, 'read', { value: () => 3 });
  guard.install(object);
  expect(object.read()).toBe(3);
  expect(calls).toEqual([]);
});
