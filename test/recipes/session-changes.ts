import { promisify } from 'node:util';
import type { Request, RequestHandler } from 'express';
import type { Session, SessionData } from 'express-session';

/**
 * Before a wrapper, where the handshake may begin a session: `app.get('/chat', begin, storeSession, requireWebsocket(chat))`.
 * The session is in the store before the client has its cookie.
 */
export const storeSession: RequestHandler = (req, _res, next) => {
  req.session.save(next);
};

/**
 * In a handler, `await changeSession(req, (session) => { session.name = name; })`: changes the session as it is in the
 * store now, and saves it at once. Rejects when the session has ended.
 */
export async function changeSession(
  req: Request,
  change: (session: Session & Partial<SessionData>) => void,
): Promise<void> {
  // It makes a new object of `req.session`, so a variable that holds the old one is out of date.
  await promisify(req.session.reload.bind(req.session))();
  change(req.session);
  await promisify(req.session.save.bind(req.session))();
}
