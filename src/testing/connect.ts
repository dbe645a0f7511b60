import type { MessageKind, MessageKinds } from '../options/options.js';
import type { ReceivedMessage } from '../routes/websocket-options.js';
import type { SchemaInput, StandardSchema } from '../shared/standard-schema.js';
import type { ValueFormat } from '../values/codec.js';
import { resolveConnectOptions, type AnyConnectOptions, type ConnectOptions } from './client-options.js';
import { captureCallSite } from './errors.js';
import { resolveTarget, type Target } from './target.js';
import { openClient, whenOpened, type TestClient } from './test-client.js';

/**
 * Opens a websocket to a route, for a test.
 *
 * An app may be one of Express or Connect, or a bare request listener. An app, and a server that does not listen, are
 * reached in memory. The request runs through the real HTTP parser, the real middleware and the real handshake. No port is
 * used, and nothing stays open. A server that listens, and a URL, are reached over the network.
 *
 * Close each client with `close()`, `await using`, or `afterEach(closeClients)`.
 *
 * @param target An app, a server, or a URL.
 * @param path The path with its query, such as `'/chat/7?name=ada'`. With a URL, it is relative to the URL and optional.
 * @throws {WebsocketHandshakeError} (as a rejection) The handshake was refused. The error has `status`, `headers`, `body`.
 * @throws {WebsocketExpectationError} (as a rejection) No response came before the deadline, or the connection failed.
 * @throws {WebsocketOptionError} (as a rejection) An option is wrong or unknown.
 * @example
 * const client = await connect(app, '/echo', { headers: { cookie } });
 * client.send('hello');
 * expect(await client.wait()).toBe('hello');
 * await client.close();
 */
export function connect<Format extends ValueFormat, Sends extends StandardSchema = StandardSchema>(
  target: Target,
  path: string | undefined,
  options: ConnectOptions<Format, Sends> & { messages: Format },
): Promise<TestClient<ReceivedMessage<Format>, SchemaInput<Sends>>>;
export function connect<Kind extends MessageKind = 'both'>(
  target: Target,
  path?: string,
  options?: ConnectOptions<Kind>,
): Promise<TestClient<MessageKinds[Kind]>>;
export async function connect(
  target: Target,
  path = '',
  options: AnyConnectOptions = {},
): Promise<TestClient<unknown, unknown>> {
  const callSite = captureCallSite();
  const settings = resolveConnectOptions(options);
  const endpoint = resolveTarget(target, path, settings.rejectUnauthorized);
  const client = openClient(endpoint, settings, callSite);
  await whenOpened(client);
  return client;
}
