import { watchFailures } from './handler-failures.js';

/** What a test has opened. */
export interface Opened {
  close(): PromiseLike<void>;
}

const open = new Map<Opened, () => void>();

/** Takes down a client that has been made, until {@link forget}. */
export function remember(client: Opened): void {
  open.set(client, watchFailures());
}

export function forget(client: Opened): void {
  open.get(client)?.();
  open.delete(client);
}

/**
 * Closes every client that is still open, whatever its test has left behind: for the `afterEach` of any runner.
 *
 * Resolves when their connections have ended; those whose other end does not answer are cut. Never rejects.
 *
 * @example afterEach(closeClients);
 */
export async function closeClients(): Promise<void> {
  await Promise.all([...open.keys()].map((client) => client.close()));
}
