import type { IncomingMessage } from 'node:http';
import { serverOf } from '../internals/node.js';
import { CloseCode } from '../shared/close-codes.js';
import { MethodReplacement } from './replace-method.js';
import { type OpenStream, type Server, stateOf } from './server-state.js';

/**
 * Adds a response that never ends by itself to its server, so that `closeWebsockets` and `server.close()` end it. Returns a
 * function that removes it.
 */
export function addStream(req: IncomingMessage, stream: OpenStream): () => void {
  const server = serverOf(req.socket);
  if (server === undefined) return () => {};
  const { streams } = stateOf(server);
  if (streams.size === 0) closingMethodOf(server as Server).install();
  streams.add(stream);
  return () => {
    streams.delete(stream);
    if (streams.size === 0) closingMethodOf(server as Server).remove();
  };
}

const closingMethods = new WeakMap<Server, MethodReplacement>();

/** The package may not be attached to the server, if the app has no route for websockets. */
function closingMethodOf(server: Server): MethodReplacement {
  let method = closingMethods.get(server);
  if (method === undefined) {
    method = new MethodReplacement(server, 'close', (original) => (callback) => {
      for (const stream of stateOf(server).streams) void stream.close(CloseCode.goingAway, '');
      return original.call(server, callback);
    });
    closingMethods.set(server, method);
  }
  return method;
}
