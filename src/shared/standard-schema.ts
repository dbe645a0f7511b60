// The interface is version 1 of Standard Schema (https://standardschema.dev), whose authors ask to copy it:
//
//   MIT License
//   Copyright (c) 2024 Colin McDonnell
//
//   Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
//   documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
//   rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
//   persons to whom the Software is furnished to do so, subject to the following conditions:
//
//   The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
//   Software.
//
//   THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
//   WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
//   COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
//   OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

/**
 * Describes a schema of zod (3.24 and later), valibot, arktype, or any other library that implements Standard Schema,
 * version 1. See https://standardschema.dev.
 */
export interface StandardSchema<Input = unknown, Output = unknown> {
  /** Holds what the standard defines. */
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    /** Checks a value. The methods of this package call it with one argument. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** Only for TypeScript: the type that the schema accepts, and the type that it gives. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** Describes the answer of a schema: a value that fits, with defaults and transforms applied, or why it does not fit. */
export type SchemaResult<Output = unknown> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

/** Describes why a value does not fit a schema. */
export interface SchemaIssue {
  /** The text of the library, such as `Invalid input: expected string, received number`. */
  readonly message: string;
  /** Where in the value, such as `['items', 0, 'name']`. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Stands for the type of the values that a schema accepts. */
export type SchemaInput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['input'];

/** Stands for the type of the values that a schema gives: with defaults and transforms applied. */
export type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output'];
