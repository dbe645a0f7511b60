import { promisify } from 'node:util';
import { acceptWebsocket } from 'dwebsocket';
import { Router } from 'express';
import { sendPage } from '../send-page.js';
import { login, mustBeLoggedIn, sessions, closeAtLogout } from './login.js';

/** Requires a login: with the app's session, and ordinary middleware before the wrapper. */
export const account = Router();
account.use(sessions, login);

account.get(
  '/',
  mustBeLoggedIn,
  acceptWebsocket(async (req, res) => {
    if (!req.isWebsocket()) return sendPage(res, 'account');

    // A logout in another tab closes this websocket, too.
    if (!(await closeAtLogout(req))) return;
    const { session, websocket } = req;

    // Save now: a save at the end of the websocket could restore a session that has logged out meanwhile.
    session.visits = (session.visits ?? 0) + 1;
    await promisify(session.save.bind(session))();

    websocket.send(`Hello, ${session.name}. Visits so far: ${session.visits}.`);
    for await (const message of websocket) websocket.send(`${session.name} says: ${message.toString()}`);
  }),
);
