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

/** Without a login both get 401: a plain request with the login page, a WebSocket instead of its 101. */
export const mustBeLoggedIn: RequestHandler = (req, res, next) => {
  if (req.session.name === undefined) sendPage(res.status(401), 'login');
  else next();
};

/** Says the id of a session when it has logged out. */
const logouts = new EventEmitter().setMaxListeners(0);

/**
 * For the first line of a handler behind a login: its websocket closes at the logout. False when that has come already,
 * after the handshake had seen the session: then it must not be saved any more, or it would be back, logged in.
 */
export async function staysLoggedIn(req: Request & { websocket: Websocket }): Promise<boolean> {
  const { sessionID, sessionStore, websocket } = req;
  const leave = () => {
    void websocket.close(4401, 'logged out');
    // A save that was under way at the logout may have brought the session back.
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
  // A new session for each login: nobody can have planted it.
  req.session.regenerate((error) => {
    if (error) return next(error);
    if (typeof name === 'string' && name.trim() !== '') req.session.name = name.trim().slice(0, 40);
    res.redirect('/account/');
  });
});

// In this order: a handshake that is under way hears of the logout, or finds that its session has gone.
login.post('/logout', (req, res, next) => {
  const { sessionID } = req;
  req.session.destroy((error) => {
    if (error) return next(error);
    logouts.emit(sessionID);
    res.redirect('/account/');
  });
});
