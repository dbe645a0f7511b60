import { isBytes } from '../shared/bytes.js';
import { argumentError, describe, WebsocketError } from '../shared/errors.js';
import type { SchemaResult, StandardSchema } from '../shared/standard-schema.js';
import { isThenable } from '../shared/thenable.js';
import { describeFirst } from './issues.js';
import { isNestedDeeply, MAX_DEPTH } from './nesting.js';

/** Describes how text messages become values: parsed as JSON, and then checked if it is a schema. */
export type ValueFormat = 'json' | StandardSchema;

/** Decodes the messages that a websocket receives into values, and encodes the values that it sends. */
export class Codec {
  readonly format: ValueFormat;
  readonly sends: StandardSchema | undefined;
  readonly #schema: StandardSchema['~standard'] | undefined;
  /** The schema that checks each value. `undefined` in production: reading `process.env` for each value takes too long. */
  readonly #checkedBy: StandardSchema['~standard'] | undefined;

  constructor(format: ValueFormat, sends: StandardSchema | undefined) {
    this.format = format;
    this.sends = sends;
    this.#schema = format === 'json' ? undefined : format['~standard'];
    this.#checkedBy = process.env.NODE_ENV === 'production' ? undefined : sends?.['~standard'];
  }

  /**
   * Parses a text message and checks its value.
   *
   * @throws What the schema throws. The promise of a schema may reject.
   */
  decode(text: string): SchemaResult | Promise<SchemaResult> {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      return { issues: [{ message: (error as Error).message }] };
    }
    if (isNestedDeeply(text))
      return { issues: [{ message: `nested more than ${String(MAX_DEPTH)} levels deep` }] };
    if (this.#schema === undefined) return { value };
    const result = this.#schema.validate(value);
    // A thenable may call back at once, or twice.
    return isThenable(result) ? Promise.resolve(result) : result;
  }

  /**
   * Encodes a value as JSON. Returns bytes unchanged.
   *
   * The schema of `sends` checks the value, except in production. The value itself is sent, and not the output of the
   * schema.
   *
   * @throws {WebsocketArgumentError} JSON cannot represent the value, or it does not fit `sends`.
   * @throws {WebsocketError} The schema of `sends` answers with a promise (`ERR_WEBSOCKET_ASYNC_SCHEMA`).
   */
  encode(value: unknown): string | NodeJS.TypedArray | DataView | ArrayBuffer {
    if (this.#checkedBy !== undefined && !isBytes(value)) check(value, this.#checkedBy);
    return this.encodeUnchecked(value);
  }

  /**
   * Encodes a value like `encode`, without the schema of `sends`.
   *
   * @throws {WebsocketArgumentError} JSON cannot represent the value.
   */
  encodeUnchecked(value: unknown): string | NodeJS.TypedArray | DataView | ArrayBuffer {
    if (isBytes(value)) return value;
    const text = stringify(value);
    if (text === undefined) {
      throw argumentError(
        TypeError,
        `send() takes a value that JSON can represent; got ${describe(value)}. To say that there is none, send null`,
      );
    }
    if (text === '{}') refuseOpaque(value);
    return text;
  }
}

/** Returns `undefined` for `undefined`, functions and symbols. */
function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw unencodable(error);
  }
}

function check(value: unknown, schema: StandardSchema['~standard']): void {
  const result = schema.validate(value);
  if (isThenable(result)) {
    // The error below says enough; a rejection must not end the process.
    result.then(undefined, () => undefined);
    throw asyncSchemaError(
      'send() cannot wait for the schema of the option "sends", which answers with a promise; ' +
        'give it a schema without async checks',
    );
  }
  if (!result.issues) return;
  throw argumentError(
    TypeError,
    `send() was given a value that does not fit the option "sends"${describeFirst(result.issues)}`,
    { issues: result.issues },
  );
}

/** @param message What cannot wait, and what to do instead. */
export function asyncSchemaError(message: string): WebsocketError {
  return new WebsocketError('ERR_WEBSOCKET_ASYNC_SCHEMA', message);
}

/** Creates the error for a value that `JSON.stringify` refuses: a BigInt, a cycle, a text that is too long. */
function unencodable(cause: unknown): Error {
  const kind = cause instanceof RangeError ? RangeError : TypeError;
  const reason = cause instanceof Error ? cause.message : describe(cause);
  return argumentError(
    kind,
    `send() cannot encode the value as JSON: ${reason}. Send only the fields that the client needs; turn a BigInt into ` +
      'a string or a number',
    { cause },
  );
}

/** @throws {WebsocketArgumentError} JSON encodes the value as `{}`, which is never meant. */
function refuseOpaque(value: unknown): void {
  if (value instanceof Promise) {
    throw argumentError(TypeError, 'send() was given a promise; await it first: send(await value)');
  }
  if (value instanceof Blob) {
    throw argumentError(
      TypeError,
      'send() was given a Blob; send its bytes: send(await value.arrayBuffer())',
    );
  }
}
