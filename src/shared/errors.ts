/**
 * Every error of this package has a `code` that begins with `ERR_WEBSOCKET_` and never changes.
 *
 * `instanceof` looks at the code, too, and not at the prototype: an error of another installed copy of the package
 * is known, and an error can be a `TypeError` or `RangeError` by nature and a `WebsocketError` as well.
 */
export class WebsocketError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isErrorWithCode(value) && value.code.startsWith('ERR_WEBSOCKET_');
  }
}
setName(WebsocketError);

/**
 * The websocket has closed, and its end has already been reported once (by a `null`, a `false`, or the end of an
 * iteration). A handler that ends with it is not in error: the peer has left.
 */
export class WebsocketClosedError extends WebsocketError {
  declare readonly code: 'ERR_WEBSOCKET_CLOSED';
  /** The close code of whoever closed first: 1005 when the frame had none, 1006 when there was no frame. */
  readonly closeCode: number;
  /** The close reason of whoever closed first. */
  readonly closeReason: string;

  constructor(closeCode: number, closeReason: string) {
    const reason = closeReason === '' ? '' : ` (${closeReason})`;
    super(
      'ERR_WEBSOCKET_CLOSED',
      `the websocket has closed with ${String(closeCode)}${reason}; ` +
        'leave the loop when wait() gives null, when sleep() gives false, or iterate with for await',
    );
    this.closeCode = closeCode;
    this.closeReason = closeReason;
  }
}
defineKind(WebsocketClosedError, 'ERR_WEBSOCKET_CLOSED');

/** An option has a wrong type or value, or a name that no option has. Also a `TypeError` or a `RangeError`. */
export interface WebsocketOptionError extends WebsocketError {
  readonly code: 'ERR_WEBSOCKET_OPTION';
  /** The option, as it was written. */
  readonly option: string;
  /** What the option must be. */
  readonly rule: string;
  /** What it was. */
  readonly value: unknown;
}

/** An argument of a method has a wrong type or value. Also a `TypeError` or a `RangeError`. */
export interface WebsocketArgumentError extends WebsocketError {
  readonly code: 'ERR_WEBSOCKET_ARGUMENT';
}

/** For `instanceof`; errors of this kind are made by `optionError`. */
export const WebsocketOptionError = kindOf<WebsocketOptionError>('ERR_WEBSOCKET_OPTION');

/** For `instanceof`; errors of this kind are made by `argumentError`. */
export const WebsocketArgumentError = kindOf<WebsocketArgumentError>('ERR_WEBSOCKET_ARGUMENT');

type Nature = TypeErrorConstructor | RangeErrorConstructor;

export function optionError(
  Kind: Nature,
  option: string,
  rule: string,
  value: unknown,
): WebsocketOptionError {
  const error = new Kind(`option "${option}" must be ${rule}; got ${describe(value)}`);
  return Object.assign(error, { code: 'ERR_WEBSOCKET_OPTION' as const, option, rule, value });
}

export function argumentError(Kind: Nature, message: string): WebsocketArgumentError {
  return Object.assign(new Kind(message), { code: 'ERR_WEBSOCKET_ARGUMENT' as const });
}

/** A short text for a value in an error message: its type and, where that is short, its content. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  switch (typeof value) {
    case 'undefined':
      return 'undefined';
    case 'string':
      return `the string ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)}`;
    case 'function':
      return value.name === '' ? 'a function' : `the function ${value.name}`;
    case 'object': {
      const name = (value as { constructor?: { name?: unknown } }).constructor?.name;
      return typeof name === 'string' && name !== 'Object' ? `an instance of ${name}` : 'an object';
    }
    case 'symbol':
      return value.toString();
    case 'number':
    case 'bigint':
    case 'boolean':
      return `the ${typeof value} ${String(value)}`;
    default:
      return typeof value;
  }
}

function kindOf<E>(code: string): { [Symbol.hasInstance](value: unknown): value is E } {
  return { [Symbol.hasInstance]: isOfKind<E>(code) };
}

function isOfKind<E>(code: string): (value: unknown) => value is E {
  return (value): value is E => isErrorWithCode(value) && value.code === code;
}

/** Gives a class of errors its name, and lets `instanceof` look for its code. */
export function defineKind(Kind: ErrorClass, code: string): void {
  setName(Kind);
  Object.defineProperty(Kind, Symbol.hasInstance, { value: isOfKind(code) });
}

function isErrorWithCode(value: unknown): value is Error & { code: string } {
  return (
    typeof value === 'object' && value !== null && typeof (value as { code?: unknown }).code === 'string'
  );
}

type ErrorClass = new (...args: never[]) => Error;

// On the prototype, so that `error.name` does not show up among the facts when the error is printed.
function setName(Kind: ErrorClass): void {
  Object.defineProperty(Kind.prototype, 'name', { value: Kind.name, configurable: true, writable: true });
}
