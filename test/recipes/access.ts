import type { Express, RequestHandler } from 'express';
import { withDefaults } from 'dwebsocket';

// These origins hold for all routes with this wrapper; a route can name others.
const { requireWebsocket } = withDefaults({
  origins: ['https://example.org', /^https:\/\/[a-z0-9-]+\.example\.org$/],
});

/** Middleware before the wrapper refuses with an ordinary response, and no websocket is opened. */
export function addRooms(app: Express, isMember: (cookie: string, room: string) => Promise<boolean>): void {
  const mustBeMember: RequestHandler<{ room: string }> = async (req, res, next) => {
    if (await isMember(req.get('Cookie') ?? '', req.params.room)) next();
    else res.status(403).send('for members only');
  };

  app.get(
    '/rooms/:room',
    mustBeMember,
    requireWebsocket(async (req) => {
      for await (const message of req.websocket) req.websocket.send(message);
    }),
  );
}
