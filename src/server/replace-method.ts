/** Stands for any method. */
type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Replaces a method of one object with another one, which may call the original. */
export class MethodReplacement {
  readonly #target: Record<string, Method>;
  readonly #name: string;
  readonly #make: (original: Method) => Method;
  #replacement: Method | undefined;
  #before: PropertyDescriptor | undefined;

  constructor(target: object, name: string, make: (original: Method) => Method) {
    this.#target = target as Record<string, Method>;
    this.#name = name;
    this.#make = make;
  }

  /** Replaces the method. Does nothing if it is replaced already, or if the object has no such method. */
  install(): void {
    if (this.#replacement !== undefined || typeof this.#target[this.#name] !== 'function') return;
    this.#before = Object.getOwnPropertyDescriptor(this.#target, this.#name);
    this.#replacement = this.#make(this.#original());
    Object.defineProperty(this.#target, this.#name, {
      value: this.#replacement,
      configurable: true,
      writable: true,
      enumerable: false,
    });
  }

  /** Restores the method. If other code has replaced it since, that code calls ours, so ours stays installed. */
  remove(): void {
    if (this.#replacement === undefined || this.#target[this.#name] !== this.#replacement) return;
    if (this.#before === undefined) Reflect.deleteProperty(this.#target, this.#name);
    else Object.defineProperty(this.#target, this.#name, this.#before);
    this.#replacement = undefined;
  }

  #original(): Method {
    if (this.#before !== undefined) return this.#target[this.#name] as Method;
    // Looked up at each call: a tracing agent may replace the method of the class at any time.
    const prototype = Object.getPrototypeOf(this.#target) as Record<string, Method>;
    const name = this.#name;
    return function (this: unknown, ...args: unknown[]) {
      return (prototype[name] as Method).apply(this, args);
    };
  }
}
