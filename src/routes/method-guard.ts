type Method = (this: object, ...args: unknown[]) => unknown;

/** Runs before a guarded method. If it throws, the caller of the method gets the error. */
export type BeforeCall<T extends object> = (target: T, name: string, args: readonly unknown[]) => void;

/**
 * Runs a function before certain methods of an object. The methods may come from any class or middleware.
 *
 * All objects of one prototype share one guarded prototype, so an object needs no extra memory. A method of the object
 * itself is wrapped for that object alone; for example, express-session replaces `end` on each response.
 */
export class MethodGuard<T extends object> {
  readonly #names: readonly string[];
  readonly #before: BeforeCall<T>;
  readonly #guarded = new WeakMap<object, object>();

  constructor(names: readonly string[], before: BeforeCall<T>) {
    this.#names = names;
    this.#before = before;
  }

  /** Guards an object. Safe to call again. */
  install(target: T): void {
    const prototype = Object.getPrototypeOf(target) as object;
    const guarded = this.#guardedOf(prototype);
    if (guarded === prototype) return;
    Object.setPrototypeOf(target, guarded);
    for (const name of this.#names) {
      if (!Object.hasOwn(target, name)) continue;
      const methods = target as Record<string, Method>;
      // Assigns the property: defining it would give each object its own hidden class, of 2 KB.
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
    // Marks the guarded prototype itself as guarded.
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
