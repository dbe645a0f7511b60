import type { Express, RequestHandler } from 'express';
import { limitOpen, requireWebsocket, type RequireWebsocketHandler } from 'dwebsocket';

/**
 * Limits the websockets of an app: 50 for each address, and on this route 5 for each user, with 20 messages a second for
 * each websocket.
 */
export function addChat(app: Express, mustLogIn: RequestHandler, chat: RequireWebsocketHandler): void {
  app.use(limitOpen({ max: 50 }));
  app.get(
    '/chat',
    mustLogIn,
    limitOpen({ max: 5, by: (_req, res) => res.locals.user as string }),
    requireWebsocket(chat, { messageRate: { count: 20, per: 1_000 } }),
  );
}
