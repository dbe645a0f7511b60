import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';

const LIFE = 30_000;
const tickets = new Map<string, string>();

/** Behind whatever authorizes the app's HTTP requests: `app.post('/ticket', mustHaveToken, giveTicket)`. */
export const giveTicket: RequestHandler = (_req, res) => {
  const ticket = randomUUID();
  tickets.set(ticket, String(res.locals.user));
  setTimeout(() => tickets.delete(ticket), LIFE).unref();
  res.set('Cache-Control', 'no-store').json({ ticket });
};

/** Before the websocket, `app.get('/chat', takeTicket, requireWebsocket(chat))`: a ticket is good once. */
export const takeTicket: RequestHandler = (req, res, next) => {
  const ticket = typeof req.query.ticket === 'string' ? req.query.ticket : '';
  const user = tickets.get(ticket);
  tickets.delete(ticket);
  if (user === undefined) {
    res.status(401).send('POST /ticket gives you a new ticket');
    return;
  }
  res.locals.user = user;
  next();
};
