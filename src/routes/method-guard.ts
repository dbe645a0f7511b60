type Method = (this: object, ...args: unknown[]) => unknown;

/** Runs before a guarded method; what it throws is thrown to the caller of the method. */
export type BeforeCall<T extends object> = (target: T, name: string, args: readonly unknown[]) => void;

/**
 * Runs a function before certain methods of an object, whichever class or middleware the methods come from.
 *
 * All objects of one prototype share one guarded prototype, so an object costs no memory. Only a method that somebody has
 * put on the object itself (as express-session does with `end`) is wrapped for this one object.
 */
export class MethodGuard<T extends object> {
  readonly #names: readonly string[];
  readonly #before: BeforeCall<T>;
  readonly #guarded = new WeakMap<object, object>();

  constructor(names: readonly string[], before: BeforeCall<T>) {
    this.#names = names;
    this.#before = before;
  }

  /** Guards an object; harmless when done before. */
  install(target: T): void {
    const prototype = Object.getPrototypeOf(target) as object;
    const guarded = this.#guardedOf(prototype);
    if (guarded === prototype) return;
    Object.setPrototypeOf(target, guarded);
    for (const name of this.#names) {
      if (!Object.hasOwn(target, name)) continue;
      const methods = target as Record<string, Method>;
      // Assigned, since a property that is defined anew gives the object a hidden class of its own, of 2 KB.
      Reflect.set(
        methods,
        name,
        guardMethod(methods[name] as Method, name, this.#before as BeforeCall<object>),
      );
    }
  }

  #guardedOf(prototype: object): object {
    let guarded = this.#guarded.get(prototype);
    if (guarded !== undefined) return guarded;
    guarded = Object.create(prototype) as object;
    for (const name of this.#names) {
      const methods = prototype as Record<string, Method>;
      if (typeof methods[name] !== 'function') continue;
      // Looked up at each call: a tracer may replace a method of a prototype at any time.
      const latest: Method = function (...args) {
        return Reflect.apply(methods[name] as Method, this, args);
      };
      const value = guardMethod(latest, name, this.#before as BeforeCall<object>);
      Object.defineProperty(guarded, name, { value, configurable: true, writable: true });
    }
    this.#guarded.set(prototype, guarded);
    // A guarded prototype is its own guarded one.
    this.#guarded.set(guarded, guarded);
    return guarded;
  }
}

function guardMethod(method: Method, name: string, before: BeforeCall<object>): Method {
  return function (...args) {
    before(this, name, args);
    return Reflect.apply(method, this, args);
  };
}
