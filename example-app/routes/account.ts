import { promisify } from 'node:util';
import { acceptWebsocket } from 'dwebsocket';
import { Router } from 'express';
import { sendPage } from '../send-page.js';
import { login, mustBeLoggedIn, sessions, staysLoggedIn } from './login.js';

/** Login required: the session of the app, and an ordinary middleware in front of the wrapper. */
export const account = Router();
account.use(sessions, login);

account.get(
  '/',
  mustBeLoggedIn,
  acceptWebsocket(async (req, res) => {
    if (!req.isWebsocket()) return sendPage(res, 'account');

    // Who logs out in another tab leaves here, too.
    if (!(await staysLoggedIn(req))) return;
    const { session, websocket } = req;

    // Saved now. At the end of the websocket it could bring back a session that has logged out in the meantime.
    session.visits = (session.visits ?? 0) + 1;
    await promisify(session.save.bind(session))();

    websocket.send(`Hello, ${session.name}. Visits so far: ${session.visits}.`);
    for await (const message of websocket) websocket.send(`${session.name} says: ${message.toString()}`);
  }),
);
