export type { Backplane, BackplaneEvents } from './backplane.js';
export { BackplaneError, type BackplaneErrorCode } from './errors.js';
export { Group, type GroupSendOptions, type Sent } from './group.js';
export { createGroups, Groups, type GroupsEvents, type GroupsOptions } from './groups.js';
export type { Member } from './member.js';
