import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';

const LIFE = 30_000;
const tickets = new Map<string, string>();

/** Creates a ticket. Use it after the check of HTTP requests: `app.post('/ticket', mustHaveToken, giveTicket)`. */
export const giveTicket: RequestHandler = (_req, res) => {
  const ticket = randomUUID();
  tickets.set(ticket, String(res.locals.user));
  setTimeout(() => tickets.delete(ticket), LIFE).unref();
  res.set('Cache-Control', 'no-store').json({ ticket });
};

/** Checks a ticket, which works once. Use it before the wrapper: `app.get('/chat', takeTicket, requireWebsocket(chat))`. */
export const takeTicket: RequestHandler = (req, res, next) => {
  const ticket = typeof req.query.ticket === 'string' ? req.query.ticket : '';
  const user = tickets.get(ticket);
  tickets.delete(ticket);
  if (user === undefined) {
    res.status(401).send('the ticket is not valid; get a new one with POST /ticket');
    return;
  }
  res.locals.user = user;
  next();
};
