import type { Request } from 'express';
import { openWebsockets, type Server, type Websocket } from 'dwebsocket';

const LOGGED_OUT = 4401;

/** Closes the websockets that were opened with a session. For the logout route. */
export function closeSession(server: Server, sessionID: string): void {
  for (const websocket of openWebsockets(server)) {
    if ((websocket.request as Request).sessionID === sessionID)
      void websocket.close(LOGGED_OUT, 'logged out');
  }
}

/**
 * Closes the websocket when its session ends, and prevents it from restoring the session. Call it in the first line of a
 * handler behind a login: `await endWithSession(req)`.
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

  // express-session saves the session when the websocket ends, perhaps hours after the session was destroyed.
  const save = session.save.bind(session);
  session.save = (done = () => {}) => {
    isStored().then((stored) => (stored ? save(done) : done(undefined)), done);
    return session;
  };

  // The session may have ended during the handshake, on another machine, or by its age.
  const look = async () => {
    if (!(await isStored())) void websocket.close(LOGGED_OUT, 'logged out');
  };
  const timer = setInterval(() => void look().catch(console.error), lookEvery);
  void websocket.closed.then(({ code }) => {
    clearInterval(timer);
    // A save that was pending at the logout may have restored it.
    if (code === LOGGED_OUT) sessionStore.destroy(session.id);
  });
  await look();
}
