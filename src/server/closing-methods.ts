import { nextTick } from '../shared/real-timers.js';
import { MethodReplacement } from './replace-method.js';
import { stateOf, type Server } from './server-state.js';
import { closeWebsockets } from './shutdown.js';

/**
 * The methods that end a server's connections, made to reach those that Node has handed over to us.
 *
 * Node has no event for any of them, so they are replaced for as long as a server is attached.
 */
export function replaceClosingMethods(server: Server): MethodReplacement[] {
  const state = stateOf(server);
  return [
    // With open websockets the callback would never come. 1001 is for a server that goes down (RFC 6455, 7.4.1).
    new MethodReplacement(server, 'close', (original) => (callback) => {
      state.closeCalled = true;
      const ended = closeWebsockets(server);
      if (typeof callback !== 'function') return original.call(server, callback);
      // Node is done when the sockets are, which is a moment before their websockets have told their end.
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
