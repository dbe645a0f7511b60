import type { IncomingMessage } from 'node:http';
import {
  requireWebsocket,
  type Data,
  type Message,
  type MessageFormat,
  type ReceivedMessage,
  type SendableMessage,
  type StandardSchema,
  type Websocket,
  type WebsocketOptions,
} from 'dwebsocket';
import { connect, type Client, type ConnectOptions } from './client.js';
import { defer } from './inbox.js';
import { serve, type Site } from './serve.js';

export interface Pair<M = Message, Out = Data> {
  websocket: Websocket<M, Out>;
  client: Client;
  req: IncomingMessage;
  site: Site;
  /** Lets the handler return; it does by itself when the websocket has closed. */
  finish(): void;
}

/** Both ends of one websocket, while its handler does nothing. */
export async function openPair<
  Format extends MessageFormat = 'both',
  Sends extends StandardSchema = StandardSchema,
>(
  options: WebsocketOptions<Format, Sends> = {},
  clientOptions: ConnectOptions = {},
): Promise<Pair<ReceivedMessage<Format>, SendableMessage<Format, Sends>>> {
  const arrived = defer<{ websocket: Websocket; req: IncomingMessage }>();
  const finished = defer();
  const site = await serve(
    requireWebsocket(async (req) => {
      arrived.resolve({ websocket: req.websocket, req });
      await Promise.race([finished.promise, req.websocket.closed]);
    }, options as WebsocketOptions),
  );
  const client = await connect(site, '/', clientOptions);
  const { websocket, req } = await arrived.promise;
  return { websocket: websocket as never, req, client, site, finish: finished.resolve };
}
