/// <reference types="node" preserve="true" />
/**
 * Connects groups of the processes on one machine.
 *
 * @module dwebsocket/groups/local
 */

export { localBackplane } from './local-backplane.js';
export type { LocalBackplaneOptions } from './options.js';
