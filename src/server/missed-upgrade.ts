import type { IncomingMessage } from 'node:http';
import { refusal, type Refusal } from '../handshake/handshake.js';
import { isBun } from '../internals/bun.js';
import { attachmentOf } from './attachment.js';
import { stateOf } from './server-state.js';
import { httpServerOf } from './watch-servers.js';

const HANDED_OVER = refusal(
  503,
  'this server does not listen itself and is not attached, so it cannot accept websockets; ' +
    'call attachWebsocket(server) before server.emit("connection", socket)',
);

const UNKNOWN_SERVER = refusal(
  503,
  'this request came through a server that is not from node:http or node:https; ' +
    'call attachWebsocket(server) first, for example for a server of node:http2',
);

const DETACHED = refusal(
  503,
  'this server has been detached, so it accepts no websockets; call attachWebsocket(server) to attach it again',
);

const LATE = refusal(
  503,
  'this connection was opened before the first route was wrapped, so the server could not accept websockets yet. It can ' +
    'now: try again. To avoid this, load the routes before the first request, or call attachWebsocket(server)',
);

const ON_BUN = refusal(
  503,
  'Bun has handled this handshake as plain HTTP, because the client sent it before the response to its earlier request, or ' +
    'before the first route was wrapped; try again, on a connection of its own',
);

/**
 * Returns why a WebSocket request has reached its route without an upgrade. Node's parser has handled it as plain HTTP, so
 * it can no longer become a websocket.
 *
 * If the server listens and is unknown, this function attaches it for later requests.
 */
export function judgeWithoutUpgrade(req: IncomingMessage): Refusal {
  const server = httpServerOf(req);
  if (server === undefined) return UNKNOWN_SERVER;
  if (!server.listening) return HANDED_OVER;
  const { attachment } = stateOf(server);
  if (attachment !== undefined && !attachment.isActive) return DETACHED;
  attachmentOf(server).attach();
  return isBun && attachment !== undefined ? ON_BUN : LATE;
}
