import { argumentError, describe } from '../../shared/errors.js';

/** Limits the JSON text of an identity, in bytes. Each process keeps it, and it must fit into a message of any backplane. */
export const MAX_IDENTITY_BYTES = 4_096;

/**
 * Returns the key of an identity: its JSON text with sorted names, so that equal values have equal keys.
 *
 * @throws {TypeError} JSON cannot represent the value.
 * @throws {RangeError} The JSON text is too long.
 */
export function keyOf(as: unknown): string {
  const key = canonicalJson(JSON.parse(stringify(as)));
  const bytes = Buffer.byteLength(key);
  if (bytes <= MAX_IDENTITY_BYTES) return key;
  throw argumentError(
    RangeError,
    `add() takes an identity as of at most ${String(MAX_IDENTITY_BYTES)} bytes of JSON; got ${String(bytes)}. ` +
      'Pass an id or a name, and keep the rest in your database',
  );
}

/** Returns the value of a key. All readers share it, so it is frozen. */
export function identityOf(key: string): unknown {
  return freeze(JSON.parse(key));
}

/** Writes a value that JSON has parsed, with sorted names. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const object = value as Record<string, unknown>;
  const fields = Object.keys(object)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(object[name])}`);
  return `{${fields.join(',')}}`;
}

function stringify(as: unknown): string {
  if (as instanceof Promise)
    throw argumentError(
      TypeError,
      'add() was given a promise as the option "as"; await it first: { as: await value }',
    );
  let text: string | undefined;
  let cause: unknown;
  try {
    // Returns `undefined` for functions and symbols.
    text = JSON.stringify(as, refuseUnlike);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return text;
  const message = `add() takes an identity as that JSON can represent, such as a name or an id; got ${describe(as)}`;
  throw argumentError(TypeError, message, cause === undefined ? undefined : { cause });
}

/** Refuses what JSON writes as another value: NaN as `null`, and a promise as `{}`. All of them would be one person. */
function refuseUnlike(_name: string, value: unknown): unknown {
  if (value instanceof Promise || (typeof value === 'number' && !Number.isFinite(value)))
    throw new TypeError(`JSON cannot represent ${describe(value)}`);
  return value;
}

function freeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const each of Object.values(value)) freeze(each);
  return Object.freeze(value);
}
