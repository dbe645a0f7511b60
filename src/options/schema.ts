import { optionError } from '../shared/errors.js';
import type { StandardSchema } from '../shared/standard-schema.js';

/** Describes a schema in the rule of an option. */
export const A_SCHEMA = 'a schema (of zod 3.24, valibot 1, arktype 2 or later, or another Standard Schema)';

/** @throws {WebsocketOptionError} The value does not implement Standard Schema, version 1. */
export function checkSchema(value: unknown, name: string): asserts value is StandardSchema {
  if (!isSchema(value)) throw optionError(TypeError, name, A_SCHEMA, value);
}

export function isSchema(value: unknown): value is StandardSchema {
  // A schema of arktype is a function.
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const props = (value as Partial<StandardSchema>)['~standard'];
  if (typeof props !== 'object' || (props as object | null) === null) return false;
  return (props.version as unknown) === 1 && typeof (props.validate as unknown) === 'function';
}
