import type { Express, RequestHandler } from 'express';
import { withDefaults } from 'dwebsocket';

// For all routes that are wrapped with it; a route can still say something else.
const { requireWebsocket } = withDefaults({
  origins: ['https://example.org', /^https:\/\/[a-z0-9-]+\.example\.org$/],
});

/** Whoever refuses before the wrapper refuses with an ordinary response, and there never is a websocket. */
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
