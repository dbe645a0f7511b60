// With `import 'dwebsocket/express'` plain routes know the websocket. Compiled in a program of its own, never run.
import express, { type RequestHandler } from 'express';
import 'dwebsocket/express';
import {
  acceptWebsocket,
  requireWebsocket,
  websocketMiddleware,
  type Message,
  type StandardSchema,
  type Websocket,
} from 'dwebsocket';
import { is } from '../expect.js';

declare const say: StandardSchema<{ text: string }, { text: string }>;
declare const said: StandardSchema<{ from: string }, { from: string }>;

const app = express();
app.use(websocketMiddleware({ acceptAll: true }));

app.get('/time/:zone', async (req, res) => {
  is<Websocket | null>()(req.websocket);
  if (!req.isWebsocket()) {
    res.send(req.params.zone);
    return;
  }
  is<Websocket>()(req.websocket);
  is<Message | null>()(await req.websocket.wait());
  req.websocket.send(req.params.zone);
  res.end();
});

app.get('/mistake', (req) => {
  // @ts-expect-error the parentheses are missing, so this would always be true
  if (req.isWebsocket) req.websocket?.send('x');
  // @ts-expect-error on plain HTTP there is no websocket
  req.websocket.send('x');
});

export const onlyWebsockets: RequestHandler = (req, res, next) => {
  if (req.isWebsocket()) next();
  else res.sendStatus(400);
};

/** A helper that takes any request of the app. */
function nameOf(req: express.Request): string {
  return `${req.path} ${String(req.isWebsocket())}`;
}

// Wrapped handlers know more than plain routes, as ever.
app.get(
  '/wrapped',
  onlyWebsockets,
  requireWebsocket(
    async (req) => {
      is<true>()(req.isWebsocket());
      is<string | null>()(await req.websocket.wait());
      for await (const message of req.websocket) is<string>()(message);
      is<string>()(nameOf(req));
    },
    { messages: 'text' },
  ),
  requireWebsocket(
    async (req) => {
      is<{ text: string } | null>()(await req.websocket.wait());
      for await (const { text } of req.websocket) req.websocket.send({ from: text });
      is<string>()(nameOf(req));
    },
    { messages: say, sends: said },
  ),
  acceptWebsocket(
    async (req) => {
      if (!req.isWebsocket()) return;
      for await (const { text } of req.websocket) req.websocket.send({ from: text });
    },
    { messages: say, sends: said },
  ),
  acceptWebsocket<{ id: string }>(async (req) => {
    is<string>()(nameOf(req));
    if (!req.isWebsocket()) return;
    is<Message | null>()(await req.websocket.wait());
    is<string>()(req.params.id);
  }),
);
