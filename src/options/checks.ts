import { describe, optionError, unknownOptionError } from '../shared/errors.js';

/** Checks one option, and throws an error that names the option, the rule and the value. */
export type Check = (value: unknown, name: string) => void;

const MAX_INT = 2 ** 31 - 1;

/**
 * Checks that each name is one of `names`, and returns the options that are not `undefined`.
 *
 * @param parent The option that holds these options as settings.
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
      throw unknownOption(parent, name, names, value);
    }
    if (value !== undefined) given[name] = value;
  }
  return given;
}

/** Works like `checkNames`, and also runs the check of each option. */
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

/** Options that exist, but not here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  handshakeTimeout: 'attachWebsocket(server, { handshakeTimeout })',
  acceptAll: 'websocketMiddleware({ acceptAll })',
};

function unknownOption(parent: string, name: string, names: readonly string[], value: unknown): Error {
  const option = fullName(parent, name);
  if (Object.hasOwn(ELSEWHERE, option)) {
    const place = ELSEWHERE[option] as string;
    return unknownOptionError(option, `given to ${place}`, value, `give it to ${place}`);
  }
  const known = names.join(', ');
  const similar = findSimilar(name, names);
  const advice =
    similar === undefined ? `known options: ${known}` : `did you mean "${fullName(parent, similar)}"?`;
  return unknownOptionError(option, `one of ${known}`, value, advice);
}

/** Returns the most similar name if at most a third of the letters are wrong. Does not distinguish upper and lower case. */
function findSimilar(name: string, names: readonly string[]): string | undefined {
  let similar: string | undefined;
  let least = name.length / 3;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance > least || (similar !== undefined && distance === least)) continue;
    similar = candidate;
    least = distance;
  }
  return similar;
}

/** Counts the letters to insert, delete or replace that turn one text into the other (Levenshtein distance). */
function editDistance(from: string, to: string): number {
  // Each row holds the distances from a prefix of `from` to every prefix of `to`.
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const replaced = (row[j] as number) + (from[i] === to[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
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

/** Checks that the handler of a route is a function. */
export function checkHandler(handler: unknown, wrapper: string, parameters = '(req, res)'): void {
  if (typeof handler === 'function') return;
  throw new TypeError(
    `${wrapper} takes the route's handler, a function ${parameters} => …; got ${describe(handler)}`,
  );
}
