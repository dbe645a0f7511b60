/// <reference types="node" preserve="true" />
/**
 * Connects groups over PostgreSQL.
 *
 * @module dwebsocket/groups/postgres
 */

export type { PostgresBackplaneOptions } from './options.js';
export type { PostgresClient, PostgresNotification, PostgresPool } from './pool.js';
export { postgresBackplane } from './postgres-backplane.js';
