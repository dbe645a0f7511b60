/// <reference types="node" preserve="true" />
/**
 * Connects groups over NATS.
 *
 * @module dwebsocket/groups/nats
 */

export type { NatsConnection, NatsSubscription } from './connection.js';
export { natsBackplane } from './nats-backplane.js';
export type { NatsBackplaneOptions } from './options.js';
