// Without Express: Connect, and a bare server. Compiled, never run; where Express's types are not installed, too.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import connect from 'connect';
import {
  acceptWebsocket,
  limitOpen,
  requireWebsocket,
  websocketMiddleware,
  type Message,
  type Websocket,
} from 'dwebsocket';
import { is } from './expect.js';

const echo = acceptWebsocket<{ id: string }>(async (req, res) => {
  const request: IncomingMessage = req;
  const response: ServerResponse = res;
  is<string>()(req.params.id);
  if (!req.isWebsocket()) {
    response.end(request.url);
    return;
  }
  for await (const message of req.websocket) {
    is<Message>()(message);
    req.websocket.send(message);
  }
});

createServer(echo);
const limit = limitOpen({ max: 5, by: (req) => req.socket.remoteAddress });
createServer((req, res) => {
  limit(req, res, () => {
    echo(req, res);
  });
});
const app = connect();
app.use(websocketMiddleware());
app.use('/echo', echo);
app.use(requireWebsocket((req) => is<Websocket<string>>()(req.websocket), { messages: 'text' }));

acceptWebsocket((req) => {
  // @ts-expect-error the parentheses are missing, so this would always be true
  if (req.isWebsocket) req.websocket?.send('x');
  // @ts-expect-error on plain HTTP there is no websocket
  req.websocket.send('x');
});

acceptWebsocket((req: IncomingMessage, res: ServerResponse) => res.end(req.url));
