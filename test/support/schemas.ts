import type { SchemaResult, StandardSchema } from 'dwebsocket';

/** A schema of no library. `answer` may return a promise or throw, as any function of an app. */
export function schemaOf<Output = unknown, Input = unknown>(
  answer: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>,
): StandardSchema<Input, Output> {
  return { '~standard': { version: 1, vendor: 'test', validate: answer } };
}

export const isText = (value: unknown): SchemaResult<string> =>
  typeof value === 'string' ? { value } : { issues: [{ message: 'expected a text' }] };

/** Fits any text, at once. */
export const textSchema = schemaOf<string, string>(isText);

/** Fits any text, some turns of the event loop later. */
export const slowTextSchema = schemaOf<string, string>(async (value) => {
  await new Promise((resolve) => setImmediate(resolve));
  return isText(value);
});
