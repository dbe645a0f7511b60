import type { Request } from 'express';
import { openWebsockets, type Server, type Websocket } from 'dwebsocket';

const LOGGED_OUT = 4401;

/** For the logout route: closes the websockets that were opened with a session. */
export function closeSession(server: Server, sessionID: string): void {
  for (const websocket of openWebsockets(server)) {
    if ((websocket.request as Request).sessionID === sessionID)
      void websocket.close(LOGGED_OUT, 'logged out');
  }
}

/**
 * For the first line of a handler behind a login, `await endWithSession(req)`: the websocket ends with its session, and
 * does not bring it back.
 */
export async function endWithSession(
  req: Request & { websocket: Websocket },
  lookEvery = 60_000,
): Promise<void> {
  const { session, sessionStore, websocket } = req;
  const isStored = () =>
    new Promise<boolean>((resolve, reject) => {
      sessionStore.get(session.id, (error, stored) => {
        if (error) reject(error as Error);
        else resolve(Boolean(stored));
      });
    });

  // express-session saves when a response ends, so the session of a websocket is saved when that ends, be it hours after
  // the session was destroyed.
  const save = session.save.bind(session);
  session.save = (done = () => {}) => {
    isStored().then((stored) => (stored ? save(done) : done(undefined)), done);
    return session;
  };

  // The session may have ended while the handshake was under way, on another machine, or by its age.
  const look = async () => {
    if (!(await isStored())) void websocket.close(LOGGED_OUT, 'logged out');
  };
  const timer = setInterval(() => void look().catch(console.error), lookEvery);
  void websocket.closed.then(({ code }) => {
    clearInterval(timer);
    // A save that was under way at the logout may have brought it back.
    if (code === LOGGED_OUT) sessionStore.destroy(session.id);
  });
  await look();
}
