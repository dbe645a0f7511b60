import { argumentError, describe } from '../../shared/errors.js';

/**
 * Describes a connection of `@nats-io/transport-node`, version 3.
 *
 * This type is only a shape, so that the package is no dependency.
 */
export interface NatsConnection {
  /** Sends bytes, without waiting for the server. */
  publish(subject: string, payload: Uint8Array): void;
  /** Calls the callback for each message to the subject, or with the error of a refusal. */
  subscribe(
    subject: string,
    options: { callback: (error: Error | null, message: { data: Uint8Array }) => void },
  ): NatsSubscription;
  /** Resolves when the server has answered. Rejects at once while the connection is lost. */
  rtt(): Promise<number>;
  /** Replaces the connection to the server by a new one. */
  reconnect(): Promise<void>;
  /** Returns the changes of the connection: `disconnect`, `reconnect`, `error` and others. */
  status(): AsyncIterable<{ type: string }>;
  /** Resolves when the connection is closed for good. */
  closed(): Promise<unknown>;
  /** Returns whether the connection is closed for good. */
  isClosed(): boolean;
  /** What the server has said about itself. */
  readonly info?: { max_payload: number } | undefined;
}

/** Describes a subscription of a {@link NatsConnection}. */
export interface NatsSubscription {
  /** Ends the subscription at once. */
  unsubscribe(): void;
}

const METHODS = ['publish', 'subscribe', 'rtt', 'reconnect', 'status', 'closed', 'isClosed'] as const;

/** @throws {TypeError} The value is not such a connection. */
export function checkConnection(value: unknown): asserts value is NatsConnection {
  const methods = value as Partial<Record<string, unknown>> | null | undefined;
  const missing = METHODS.filter((name) => typeof methods?.[name] !== 'function');
  if (missing.length === 0) return;
  const advice = value instanceof Promise ? '; await the connection first' : '';
  throw argumentError(
    TypeError,
    'natsBackplane() takes the connection of "@nats-io/transport-node" (await connect({ servers })); ' +
      `got ${describe(value)}${advice}`,
  );
}
