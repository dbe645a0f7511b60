/// <reference types="node" preserve="true" />
/**
 * Connects groups over Redis.
 *
 * @module dwebsocket/groups/redis
 */

export type { RedisBackplaneOptions, RedisStreamBackplaneOptions } from './options.js';
export type { RedisClient } from './port.js';
export { redisBackplane } from './redis-backplane.js';
export { redisStreamBackplane } from './redis-stream-backplane.js';
