import type { SchemaIssue } from './standard-schema.js';

/**
 * Represents every error of this package. Its `code` begins with `ERR_WEBSOCKET_` and never changes.
 *
 * `instanceof` checks the code and not the prototype. So it also recognizes errors of another installed copy of the
 * package. And one error can be both a `WebsocketError` and a `TypeError` or `RangeError`.
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
setName(WebsocketError, 'WebsocketError');

const LEAVE_THE_LOOP =
  '; leave the loop when wait() resolves with null or sleep() with false, or iterate with for await';

/**
 * Says that the websocket has closed. `wait`, `read` and `sleep` first report this once, with `null`, the fallback or
 * `false`, and fail with this error only after that. `ping` fails with it at once.
 *
 * A handler that throws this error has not failed: the peer has left.
 */
export class WebsocketClosedError extends WebsocketError {
  declare readonly code: 'ERR_WEBSOCKET_CLOSED';
  /** The close code of the side that closed first: 1005 if its frame had no code, 1006 if there was no frame. */
  readonly closeCode: number;
  /** The close reason of the side that closed first. */
  readonly closeReason: string;

  constructor(closeCode: number, closeReason: string, advice = LEAVE_THE_LOOP) {
    const reason = closeReason === '' ? '' : ` (${closeReason})`;
    super('ERR_WEBSOCKET_CLOSED', `the websocket has closed with ${String(closeCode)}${reason}${advice}`);
    this.closeCode = closeCode;
    this.closeReason = closeReason;
  }
}
defineKind(WebsocketClosedError, 'WebsocketClosedError', 'ERR_WEBSOCKET_CLOSED');

/** Says that an option has a wrong type, a wrong value or an unknown name. Also a `TypeError` or a `RangeError`. */
export interface WebsocketOptionError extends WebsocketError {
  readonly code: 'ERR_WEBSOCKET_OPTION';
  /** The name of the option, as the caller wrote it. */
  readonly option: string;
  /** What the option must be. For an unknown option: which names are known, or where the option belongs. */
  readonly rule: string;
  /** The value that the caller gave. */
  readonly value: unknown;
}

/** Says that an argument of a method has a wrong type or value. Also a `TypeError` or a `RangeError`. */
export interface WebsocketArgumentError extends WebsocketError {
  readonly code: 'ERR_WEBSOCKET_ARGUMENT';
  /** Why a value does not fit the option `sends`. */
  readonly issues?: readonly SchemaIssue[];
}

/** Serves `instanceof`. `optionError` and `unknownOptionError` create these errors. */
export const WebsocketOptionError = kindOf<WebsocketOptionError>('ERR_WEBSOCKET_OPTION');

/** Serves `instanceof`. `argumentError` creates these errors. */
export const WebsocketArgumentError = kindOf<WebsocketArgumentError>('ERR_WEBSOCKET_ARGUMENT');

type NativeError = TypeErrorConstructor | RangeErrorConstructor;

export function optionError(
  Kind: NativeError,
  option: string,
  rule: string,
  value: unknown,
): WebsocketOptionError {
  const error = new Kind(`option "${option}" must be ${rule}; got ${describe(value)}`);
  return Object.assign(error, { code: 'ERR_WEBSOCKET_OPTION' as const, option, rule, value });
}

/** @param advice What the caller should do instead. */
export function unknownOptionError(
  option: string,
  rule: string,
  value: unknown,
  advice: string,
): WebsocketOptionError {
  const error = new TypeError(`unknown option "${option}"; ${advice}`);
  return Object.assign(error, { code: 'ERR_WEBSOCKET_OPTION' as const, option, rule, value });
}

export function argumentError(
  Kind: NativeError,
  message: string,
  facts?: Partial<Pick<WebsocketArgumentError, 'cause' | 'issues'>>,
): WebsocketArgumentError {
  return Object.assign(new Kind(message), { code: 'ERR_WEBSOCKET_ARGUMENT' as const, ...facts });
}

/** Describes a value for an error message: its type and, if short, its content. */
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

/** Sets the name of an error class, and makes `instanceof` compare the code. */
export function defineKind(Kind: ErrorClass, name: string, code: string): void {
  setName(Kind, name);
  Object.defineProperty(Kind, Symbol.hasInstance, { value: isOfKind(code) });
}

function isErrorWithCode(value: unknown): value is Error & { code: string } {
  return (
    typeof value === 'object' && value !== null && typeof (value as { code?: unknown }).code === 'string'
  );
}

type ErrorClass = new (...args: never[]) => Error;

/**
 * Sets the name of the errors of a class. `Kind.name` does not serve, because a minifier renames classes.
 *
 * The name is on the prototype: an own `name` would appear among the fields when the error is printed.
 */
export function setName(Kind: ErrorClass, name: string): void {
  Object.defineProperty(Kind.prototype, 'name', { value: name, configurable: true, writable: true });
}
