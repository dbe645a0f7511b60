// The app of the common check (compatibility/support/common-check.ts). In each set-up it is `api.mjs`.

import express from 'express';
import { acceptWebsocket, requireWebsocket } from 'dwebsocket';

export const api = express();

api.use((req, res, next) => {
  res.setHeader('x-middleware', 'yes');
  next();
});

const echo = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) return res.type('text').send(req.query.message);
  for await (const message of req.websocket) req.websocket.send(message);
});
const mustLogIn = (req, res, next) => {
  if (req.headers.authorization === undefined) res.sendStatus(401);
  else next();
};

api.get('/echo', echo);
api.get('/secret', mustLogIn, echo);
api.get(
  '/once',
  requireWebsocket(async ({ websocket }) => {
    websocket.send(await websocket.wait());
  }),
);
api.get(
  '/fail',
  requireWebsocket(async () => {
    throw new Error('boom');
  }),
);

api.use((error, req, res, next) => {
  console.log(`failed: ${error.message}`);
  next(error);
});
