import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { Websocket } from 'dwebsocket';
import { Router, urlencoded, type Request, type RequestHandler } from 'express';
import session from 'express-session';
import { sendPage } from '../send-page.js';

declare module 'express-session' {
  interface SessionData {
    name: string;
    visits: number;
  }
}

export const sessions = session({
  secret: randomBytes(32).toString('hex'),
  resave: false,
  saveUninitialized: false,
  cookie: { sameSite: 'lax' },
});

/** Answers 401 without a login: with the login page for a plain request, and instead of the 101 for a WebSocket. */
export const mustBeLoggedIn: RequestHandler = (req, res, next) => {
  if (req.session.name === undefined) sendPage(res.status(401), 'login');
  else next();
};

/** Emits the id of a session when it logs out. */
const logouts = new EventEmitter().setMaxListeners(0);

/**
 * Closes the websocket at the logout. Resolves with false if the session logged out during the handshake. The handler
 * must not save it then: it would be in the store again, logged in. Call it in the first line of a handler.
 */
export async function closeAtLogout(req: Request & { websocket: Websocket }): Promise<boolean> {
  const { sessionID, sessionStore, websocket } = req;
  const leave = () => {
    void websocket.close(4401, 'logged out');
    // A save that was pending at the logout may have restored the session.
    sessionStore.destroy(sessionID);
  };
  once(logouts, sessionID, { signal: websocket.signal }).then(leave, () => {});

  const isStored = await new Promise<boolean>((resolve, reject) => {
    sessionStore.get(sessionID, (error, stored) =>
      error ? reject(error as Error) : resolve(Boolean(stored)),
    );
  });
  if (!isStored) leave();
  return !websocket.isClosed();
}

export const login = Router();

login.post('/login', urlencoded({ extended: false }), (req, res, next) => {
  const { name } = (req.body ?? {}) as { name?: unknown };
  // A new session for each login prevents session fixation: an attacker cannot know its id beforehand.
  req.session.regenerate((error) => {
    if (error) return next(error);
    if (typeof name === 'string' && name.trim() !== '') req.session.name = name.trim().slice(0, 40);
    res.redirect('/account/');
  });
});

// Keep this order: a pending handshake then either gets the event, or finds that its session has ended.
login.post('/logout', (req, res, next) => {
  const { sessionID } = req;
  req.session.destroy((error) => {
    if (error) return next(error);
    logouts.emit(sessionID);
    res.redirect('/account/');
  });
});
