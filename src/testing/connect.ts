import type { MessageKind, MessageKinds } from '../options/options.js';
import { resolveConnectOptions, type ConnectOptions } from './client-options.js';
import { findWay, type Target } from './dial.js';
import { captureSite } from './errors.js';
import { openClient, openedOf, type TestClient } from './test-client.js';

/**
 * Opens a websocket to a route, for a test.
 *
 * An app (of Express, Connect, or a bare request listener) and a server that does not listen are reached in memory:
 * through the real HTTP parser, the real middleware and the real handshake, and without a port, a listening server, or
 * anything that stays open. A server that listens and a URL are reached over the network.
 *
 * Close what you open, with `close()`, `await using`, or `afterEach(closeClients)`.
 *
 * @param target An app, a server, or a URL.
 * @param path With its query: `'/chat/7?name=ada'`. For a URL it is resolved against it, and may be left out.
 * @throws {WebsocketHandshakeError} (as a rejection) The handshake was refused: it has `status`, `headers` and `body`.
 * @throws {WebsocketExpectationError} (as a rejection) It was not answered before the deadline, or the connection failed.
 * @throws {WebsocketOptionError} (as a rejection) An option that cannot be.
 * @example
 * const client = await connect(app, '/echo', { headers: { cookie } });
 * client.send('hello');
 * expect(await client.wait()).toBe('hello');
 * await client.close();
 */
export async function connect<Kind extends MessageKind = 'both'>(
  target: Target,
  path = '',
  options: ConnectOptions<Kind> = {},
): Promise<TestClient<MessageKinds[Kind]>> {
  const site = captureSite();
  const settings = resolveConnectOptions(options);
  const client = openClient<MessageKinds[Kind]>(
    findWay(target, path, settings.rejectUnauthorized),
    settings,
    site,
  );
  await openedOf(client);
  return client;
}
