/// <reference types="node" preserve="true" />
/**
 * Tests routes and handlers without a port.
 *
 * @module dwebsocket/testing
 */

export { backplaneContract, type BackplaneContractOptions } from './backplane-contract.js';
export { connect } from './connect.js';
export type { Agent, ConnectOptions } from './client-options.js';
export type { Target } from './target.js';
export { WebsocketExpectationError, WebsocketHandshakeError } from './errors.js';
export { closeClients } from './open-clients.js';
export type { RawFrame } from './raw-frame.js';
export {
  runHandler,
  type HandlerEnd,
  type HandlerFields,
  type RunHandlerOptions,
  type RunningHandler,
} from './run-handler.js';
export { TestClient } from './test-client.js';
