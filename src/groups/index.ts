/// <reference types="node" preserve="true" />
/**
 * Sends messages to many websockets, on one machine or over Redis.
 *
 * @module dwebsocket/groups
 */

export type { Backplane, BackplaneEvents } from './backplane.js';
export { BackplaneError, type BackplaneErrorCode } from './errors.js';
export { eventStream, type EventStream, type EventStreamOptions } from './event-stream.js';
export type { Group, GroupAddOptions, GroupSendOptions, KeptMessage, Sent } from './group.js';
export {
  createGroups,
  type Groups,
  type GroupsEvents,
  type GroupsOptions,
  type ValueGroupsOptions,
} from './groups.js';
export type { HistoryRange } from './history/range.js';
export type { HistoryStart, Welcome } from './history/joining.js';
export type { BackplaneHistory, KeptEntry, KeptPage } from './history/kept.js';
export type { HistoryOptions } from './history/options.js';
export type { Position } from './history/position.js';
export type { AnyMember, Member } from './member.js';
export { MemoryHub } from './memory-hub.js';
export type { GroupEvents, Person } from './people/group-people.js';
export type { RedisBackplaneOptions, RedisStreamBackplaneOptions } from './redis/options.js';
export type { RedisClient } from './redis/port.js';
export { redisBackplane } from './redis/redis-backplane.js';
export { redisStreamBackplane } from './redis/redis-stream-backplane.js';
