import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Router, urlencoded, type RequestHandler } from 'express';
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

/** Says the id of a session when it logs out. */
export const logouts = new EventEmitter().setMaxListeners(0);

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

login.post('/logout', (req, res, next) => {
  logouts.emit(req.sessionID);
  req.session.destroy((error) => (error ? next(error) : res.redirect('/account/')));
});
