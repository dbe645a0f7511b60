import type { IncomingMessage } from 'node:http';
import { requireWebsocket, type MessageKind, type Websocket, type WebsocketOptions } from 'dwebsocket';
import { connect, type Client, type ConnectOptions } from './client.js';
import { defer } from './inbox.js';
import { serve, type Site } from './serve.js';

export interface Pair {
  websocket: Websocket;
  client: Client;
  req: IncomingMessage;
  site: Site;
  /** Lets the handler return; it does by itself when the websocket has closed. */
  finish(): void;
}

/** Both ends of one websocket, while its handler does nothing. */
export async function openPair<Kind extends MessageKind = 'both'>(
  options: WebsocketOptions<Kind> = {},
  clientOptions: ConnectOptions = {},
): Promise<Pair> {
  const arrived = defer<{ websocket: Websocket; req: IncomingMessage }>();
  const finished = defer();
  const site = await serve(
    requireWebsocket(async (req) => {
      arrived.resolve({ websocket: req.websocket, req });
      await Promise.race([finished.promise, req.websocket.closed]);
    }, options),
  );
  const client = await connect(site, '/', clientOptions);
  return { ...(await arrived.promise), client, site, finish: finished.resolve };
}
