import { watchFailures } from './handler-failures.js';

/** Describes a client that a test has opened. */
export interface Closable {
  close(): PromiseLike<void>;
}

const open = new Map<Closable, () => void>();

/** Adds a client to the open ones, until {@link untrackClient}. */
export function trackClient(client: Closable): void {
  open.set(client, watchFailures());
}

export function untrackClient(client: Closable): void {
  open.get(client)?.();
  open.delete(client);
}

/**
 * Closes every client that is still open. Use it in the `afterEach` of any test runner.
 *
 * Resolves when their connections have ended. A connection whose other end does not answer is terminated. Never rejects.
 *
 * @example afterEach(closeClients);
 */
export async function closeClients(): Promise<void> {
  await Promise.all([...open.keys()].map((client) => client.close()));
}
