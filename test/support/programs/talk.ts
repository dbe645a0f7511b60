/** A server with something of everything that NODE_DEBUG=dwebsocket tells of. */
import { createServer } from 'node:http';
import express from 'express';
import { requireWebsocket } from 'dwebsocket';
import { tellPort } from './listen.js';

const app = express();
app.get(
  '/talk',
  requireWebsocket(
    async ({ websocket }) => {
      for await (const message of websocket) if (message === 'bye') return;
    },
    { protocols: ['chat'] },
  ),
);
app.get(
  '/json',
  requireWebsocket(({ websocket }) => websocket.wait(), { messages: 'json' }),
);
app.get(
  '/fail',
  requireWebsocket(() => {
    throw new Error('the reason');
  }),
);
app.use(((_error, _req, res, _next) => res.end()) as express.ErrorRequestHandler);
await tellPort(createServer(app));
