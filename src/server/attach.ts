import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import * as http from 'node:http';
import * as https from 'node:https';
import { serverOf } from '../internals/node.js';
import { refusal, type Refusal } from '../handshake/handshake.js';
import { checkNames, checkTime } from '../options/checks.js';
import { optionError } from '../shared/errors.js';
import { Attachment, type AttachOptions } from './attachment.js';
import { checkServer, stateOf, type Server } from './server-state.js';

export type { AttachOptions, UpgradeRequest } from './attachment.js';

/**
 * Gives a server to this package, or says which upgrade requests are ours where other libraries upgrade, too.
 *
 * An app whose server is made by `app.listen()` or `http.createServer(app)` needs no such call. Can be called at any
 * time, before or after other listeners are added, and again to change an option.
 *
 * @returns A function that detaches: later upgrade requests are not ours, open websockets stay (until the server closes).
 *   Can be called twice.
 * @throws {WebsocketOptionError} An option that cannot be.
 * @throws {TypeError} `server` is no server.
 * @example attachWebsocket(server, { owns: (req) => req.url.startsWith('/chat/') });
 */
export function attachWebsocket(server: Server, options: AttachOptions = {}): () => void {
  checkServer(server, 'attachWebsocket');
  checkNames(options, ['owns', 'handshakeTimeout']);
  const { owns, handshakeTimeout } = options;
  if (owns !== undefined && typeof owns !== 'function') {
    throw optionError(TypeError, 'owns', 'a function (req) => boolean', owns);
  }
  if (handshakeTimeout !== undefined) checkTime(handshakeTimeout, 'handshakeTimeout');
  const attachment = attachmentOf(server);
  attachment.isAsked = true;
  if (owns !== undefined) attachment.owns = owns;
  if (handshakeTimeout !== undefined) attachment.handshakeTimeout = handshakeTimeout;
  attachment.attach();
  return () => {
    attachment.detach();
  };
}

function attachmentOf(server: Server): Attachment {
  const state = stateOf(server);
  const attachment = (state.attachment as Attachment | undefined) ?? new Attachment(server);
  state.attachment = attachment;
  return attachment;
}

const ACCEPTED = 'net.server.socket';
// On Node's own channel object, which outlives the modules that a test runner loads anew for each file.
const WATCHER = Symbol.for('dwebsocket.watcher.1');
let watching = false;

/**
 * Attaches every server of this process to which somebody connects, before the first byte is parsed. Called when the
 * first route is wrapped, never on import.
 */
export function watchServers(): void {
  if (watching) return;
  watching = true;
  const holder = channel(ACCEPTED) as { [WATCHER]?: (message: unknown) => void };
  if (holder[WATCHER] !== undefined) unsubscribe(ACCEPTED, holder[WATCHER]);
  holder[WATCHER] = onConnection;
  subscribe(ACCEPTED, onConnection);
}

function onConnection(message: unknown): void {
  const server = serverOf((message as { socket: object }).socket);
  if (isServer(server)) attachUnlessKnown(server);
}

function isServer(server: unknown): server is Server {
  return server instanceof http.Server || server instanceof https.Server;
}

function httpServerOf(req: http.IncomingMessage): Server | undefined {
  const server = serverOf(req.socket);
  return isServer(server) ? server : undefined;
}

/** Remembers that a request has reached a route or middleware of ours through its server. */
export function noteRoute(req: http.IncomingMessage): void {
  const server = httpServerOf(req);
  if (server !== undefined) stateOf(server).servesRoutes = true;
}

/** Not when it has been detached: that was asked for. */
function attachUnlessKnown(server: Server): void {
  if (stateOf(server).attachment === undefined) attachmentOf(server).attach();
}

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
export function judgeWithoutUpgrade(req: http.IncomingMessage): Refusal {
  const server = httpServerOf(req);
  if (server === undefined) return UNKNOWN_SERVER;
  if (!server.listening) return HANDED_OVER;
  const { attachment } = stateOf(server);
  if (attachment !== undefined && !attachment.isActive) return DETACHED;
  attachmentOf(server).attach();
  return LATE;
}
