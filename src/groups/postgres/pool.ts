import { argumentError, describe } from '../../shared/errors.js';

/**
 * Describes a `Pool` of `pg`, version 8.
 *
 * This type is only a shape, so that the package is no dependency.
 */
export interface PostgresPool {
  connect(): Promise<PostgresClient>;
}

/** Describes a client of a {@link PostgresPool}. */
export interface PostgresClient {
  query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  on(event: 'notification', listener: (notification: PostgresNotification) => void): unknown;
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown;
  release(destroy?: Error | boolean): void;
}

export interface PostgresNotification {
  readonly channel: string;
  readonly payload?: string | undefined;
}

/** @throws {TypeError} The value is not a pool. */
export function checkPool(value: unknown): asserts value is PostgresPool {
  const pool = value as { connect?: unknown; totalCount?: unknown } | null | undefined;
  // A `Client` has `connect`, too; but it serves one connection only once.
  const isClient = typeof (value as { connection?: unknown } | null | undefined)?.connection === 'object';
  if (typeof pool?.connect === 'function' && !isClient) return;
  throw argumentError(
    TypeError,
    `postgresBackplane() takes a pool of "pg" (new Pool({ connectionString })), and not a client; got ${describe(value)}`,
  );
}
