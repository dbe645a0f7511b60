import { checkNames, checkTime } from '../options/checks.js';
import { optionError } from '../shared/errors.js';
import { attachmentOf, type AttachOptions } from './attachment.js';
import { checkServer, type AnyServer } from './server-state.js';

export type { AttachOptions, UpgradeRequest } from './attachment.js';

/**
 * Attaches this package to a server. On a server that is shared with other WebSocket libraries, the option `owns` names the
 * upgrade requests of your app.
 *
 * A server of `app.listen()` or `http.createServer(app)` needs no such call. A server of `node:http2` does. Then it serves
 * websockets over HTTP/2 (RFC 8441) on the same routes, and plain requests of Express apps, which cannot serve HTTP/2 by
 * themselves. Its clients may send up to 256 KiB on a stream before the app reads, unless you set `initialWindowSize`.
 *
 * You may call it at any time, before or after other listeners are added, and again to change an option.
 *
 * @returns A function that detaches the package from the server. Websockets that are open stay open until the server closes.
 *   The package ignores later upgrade requests. You may call the function twice.
 * @throws {WebsocketOptionError} An option is wrong or unknown.
 * @throws {TypeError} `server` is not a server.
 * @example attachWebsocket(server, { owns: (req) => req.url.startsWith('/chat/') });
 */
export function attachWebsocket(server: AnyServer, options: AttachOptions = {}): () => void {
  checkServer(server, 'attachWebsocket');
  checkNames(options, ['owns', 'handshakeTimeout']);
  const { owns, handshakeTimeout } = options;
  if (owns !== undefined && typeof owns !== 'function') {
    throw optionError(TypeError, 'owns', 'a function (req) => boolean', owns);
  }
  if (handshakeTimeout !== undefined) checkTime(handshakeTimeout, 'handshakeTimeout');
  const attachment = attachmentOf(server);
  attachment.isExplicit = true;
  if (owns !== undefined) attachment.owns = owns;
  if (handshakeTimeout !== undefined) attachment.handshakeTimeout = handshakeTimeout;
  attachment.attach();
  return () => {
    attachment.detach();
  };
}
