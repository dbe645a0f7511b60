import { nextTick } from '../shared/real-timers.js';
import { MethodReplacement } from './replace-method.js';
import { stateOf, type Server } from './server-state.js';
import { closeWebsockets } from './shutdown.js';

/**
 * Creates replacements for the methods that close a server's connections. They also reach the connections that Node has
 * handed over to this package.
 *
 * Node emits no event when these methods are called, so they stay replaced while a server is attached.
 */
export function replaceClosingMethods(server: Server): MethodReplacement[] {
  const state = stateOf(server);
  return [
    // With open websockets, Node would never call back. 1001 means that a server goes down (RFC 6455, 7.4.1).
    new MethodReplacement(server, 'close', (original) => (callback) => {
      state.closeCalled = true;
      const ended = closeWebsockets(server);
      if (typeof callback !== 'function') return original.call(server, callback);
      // Node calls back when the sockets have closed, which is shortly before `closed` of the websockets resolves.
      return original.call(server, (error: unknown) => {
        void ended.then(() => {
          nextTick(callback, error);
        });
      });
    }),
    new MethodReplacement(server, 'closeAllConnections', (original) => () => {
      for (const { socket } of state.detached) socket.destroy();
      return original.call(server);
    }),
    new MethodReplacement(server, 'closeIdleConnections', (original) => () => {
      for (const { socket, isIdle } of state.detached) if (isIdle) socket.destroy();
      return original.call(server);
    }),
  ];
}
