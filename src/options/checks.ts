import { describe, optionError } from '../shared/errors.js';

/** A check of one option: throws an error that names the option, the rule and the value. */
export type Check = (value: unknown, name: string) => void;

const MAX_INT = 2 ** 31 - 1;

/**
 * The options that are given (and not `undefined`), after a check that each name is one of `names`.
 *
 * @param parent The option whose settings they are.
 */
export function checkNames(
  options: unknown,
  names: readonly string[],
  parent = '',
  rule?: string,
): Record<string, unknown> {
  checkObject(options, parent === '' ? 'options' : parent, rule);
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name)) {
      throw optionError(TypeError, fullName(parent, name), unknownRule(name, names), value);
    }
    if (value !== undefined) given[name] = value;
  }
  return given;
}

/** The same, each checked by the check of its name. */
export function checkEach(
  options: unknown,
  checks: Readonly<Record<string, Check>>,
  parent = '',
  rule?: string,
): Record<string, unknown> {
  const given = checkNames(options, Object.keys(checks), parent, rule);
  for (const [name, value] of Object.entries(given)) checks[name]?.(value, fullName(parent, name));
  return given;
}

function fullName(parent: string, name: string): string {
  return parent === '' ? name : `${parent}.${name}`;
}

export function checkObject(
  options: unknown,
  name = 'options',
  rule = 'an object',
): asserts options is object {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return;
  throw optionError(TypeError, name, rule, options);
}

function unknownRule(name: string, names: readonly string[]): string {
  if (name === 'handshakeTimeout') return 'given to attachWebsocket(server, { handshakeTimeout })';
  if (name === 'acceptAll') return 'given to websocketMiddleware({ acceptAll })';
  return `left out, for there is no such option here (there are ${names.join(', ')})`;
}

export function checkNumber(value: unknown, name: string, rule: string, min = 1, max = MAX_INT): void {
  if (typeof value !== 'number') throw optionError(TypeError, name, rule, value);
  if (!Number.isInteger(value) || value < min || value > max)
    throw optionError(RangeError, name, rule, value);
}

export function checkTime(value: unknown, name: string): void {
  checkNumber(value, name, 'whole milliseconds from 1 to 2 ** 31 - 1');
}

export function checkCount(value: unknown, name: string): void {
  checkNumber(value, name, 'a whole number from 1 to 2 ** 31 - 1');
}

export function checkBoolean(value: unknown, name: string): void {
  if (typeof value !== 'boolean') throw optionError(TypeError, name, 'true or false', value);
}

/** Checks that what is given as a handler is one. */
export function checkHandler(handler: unknown, wrapper: string): void {
  if (typeof handler === 'function') return;
  throw new TypeError(
    `${wrapper} takes the route's handler, a function (req, res) => …; got ${describe(handler)}`,
  );
}
