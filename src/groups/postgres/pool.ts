import { argumentError, describe } from '../../shared/errors.js';

/**
 * Describes a `Pool` of `pg`, version 8.
 *
 * This type is only a shape, so that the package is no dependency.
 */
export interface PostgresPool {
  /** Resolves with a client that is ready. */
  connect(): Promise<PostgresClient>;
}

/** Describes a client of a {@link PostgresPool}. */
export interface PostgresClient {
  /** Runs a query. */
  query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /** Adds a listener for notifications. */
  on(event: 'notification', listener: (notification: PostgresNotification) => void): unknown;
  /** Adds a listener for the end of the connection. */
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown;
  /** Gives the client back to the pool. With an argument, ends its connection. */
  release(destroy?: Error | boolean): void;
}

/** Describes a notification that a {@link PostgresClient} receives. */
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
