import { promisify } from 'node:util';
import type { Request, RequestHandler } from 'express';
import type { Session, SessionData } from 'express-session';

/**
 * Saves the session before the client gets its cookie. Use it before a wrapper if the handshake may begin a session:
 * `app.get('/chat', begin, storeSession, requireWebsocket(chat))`.
 */
export const storeSession: RequestHandler = (req, _res, next) => {
  req.session.save(next);
};

/**
 * Changes the current session in the store, and saves it at once. Rejects when the session has ended. In a handler:
 * `await changeSession(req, (session) => { session.name = name; })`.
 */
export async function changeSession(
  req: Request,
  change: (session: Session & Partial<SessionData>) => void,
): Promise<void> {
  // reload() puts a new object into `req.session`, so a variable with the old one is out of date.
  await promisify(req.session.reload.bind(req.session))();
  change(req.session);
  await promisify(req.session.save.bind(req.session))();
}
