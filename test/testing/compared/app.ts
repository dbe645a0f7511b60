import express, { type RequestHandler } from 'express';
import { requireWebsocket } from 'dwebsocket';

export const app = express();

app.post('/login/:name', (req, res) => {
  res.cookie('name', req.params.name).sendStatus(204);
});

const nameOf = (cookie = '') => /name=(\w+)/.exec(cookie)?.[1];

const mustBeMember: RequestHandler = (req, res, next) => {
  if (nameOf(req.headers.cookie) === undefined) res.sendStatus(401);
  else next();
};

app.get(
  '/rooms/:room',
  mustBeMember,
  requireWebsocket(async (req) => {
    for await (const message of req.websocket) {
      if (message === 'bye') return req.websocket.close(4000, 'see you');
      req.websocket.send(`${nameOf(req.headers.cookie)!} in ${req.params['room']!}: ${message.toString()}`);
    }
    return undefined;
  }),
);
