import type { IncomingMessage } from 'node:http';
import { refusal, type Refusal } from '../handshake/handshake.js';
import { attachmentOf } from './attachment.js';
import { stateOf } from './server-state.js';
import { httpServerOf } from './watch-servers.js';

const HANDED_OVER = refusal(
  503,
  'this connection was handed to a server that knows nothing of websockets; ' +
    'call attachWebsocket(server) before server.emit("connection", socket)',
);

const UNKNOWN_SERVER = refusal(
  503,
  'this request came through a server that is none of node:http or node:https; ' +
    'call attachWebsocket(server) first, as for a server of node:http2 with allowHTTP1',
);

const DETACHED = refusal(
  503,
  'this server has been detached from its websockets; call attachWebsocket(server) to have them again',
);

const LATE = refusal(
  503,
  'this request came before the server had websockets, since no route had been wrapped until then. It has them now: ' +
    'try again. To have them from the start, load the routes before the first request, or call attachWebsocket(server)',
);

/**
 * Judges a websocket request that has reached its route without an upgrade: there is no way back from Node's parser.
 *
 * A server that listens and is met here for the first time gets its websockets at once, for the requests to come.
 */
export function judgeWithoutUpgrade(req: IncomingMessage): Refusal {
  const server = httpServerOf(req);
  if (server === undefined) return UNKNOWN_SERVER;
  if (!server.listening) return HANDED_OVER;
  const { attachment } = stateOf(server);
  if (attachment !== undefined && !attachment.isActive) return DETACHED;
  attachmentOf(server).attach();
  return LATE;
}
