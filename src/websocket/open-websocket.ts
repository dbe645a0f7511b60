import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Policy } from '../options/policy.js';
import { CloseCode } from '../shared/close-codes.js';
import { Connection } from './connection.js';
import type { EndListener } from './operations.js';
import { ValueWebsocket } from './value-websocket.js';
import { createWebsocket, type Websocket } from './websocket.js';

/**
 * Creates the websocket of a connection whose handshake is complete.
 *
 * A server passes `openWebsockets`, which contains the websocket while it is open. Without it, the websocket belongs to a
 * client and masks its frames.
 */
export function openWebsocket(
  connection: Connection<Websocket>,
  socket: Duplex,
  request: IncomingMessage,
  policy: Policy,
  openWebsockets?: Set<Websocket>,
  listener?: EndListener,
): Websocket {
  if (policy.values === undefined)
    return createWebsocket(connection, socket, request, policy, openWebsockets, listener);
  return new ValueWebsocket(connection, socket, request, policy, openWebsockets, listener) as Websocket;
}

/** Creates a websocket that has ended with 1006, for a request that has none or whose client left early. */
export function openEndedWebsocket(request: IncomingMessage, policy: Policy): Websocket {
  // With these arguments, ws creates a server's WebSocket without a socket.
  const connection = new Connection<Websocket>(null as never, undefined, {});
  const websocket = openWebsocket(connection, request.socket, request, policy);
  connection.emit('close', CloseCode.abnormal, Buffer.alloc(0));
  return websocket;
}
