import { checkNames, checkTime } from '../options/checks.js';
import { optionError } from '../shared/errors.js';
import { attachmentOf, type AttachOptions } from './attachment.js';
import { checkServer, type Server } from './server-state.js';

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
