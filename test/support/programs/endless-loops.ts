/** Serves each of the endless loops, and an echo beside them. */
import { createServer } from 'node:http';
import express from 'express';
import { requireWebsocket } from 'dwebsocket';
import { tellPort } from './listen.js';
import { LOOPS } from './loops.js';

const app = express();
app.get(
  '/echo',
  requireWebsocket(async ({ websocket }) => {
    for await (const message of websocket) websocket.send(message);
  }),
);
app.get(
  '/:loop',
  requireWebsocket(({ params, websocket }) => {
    websocket.send('looping');
    return LOOPS[params['loop']!]!(websocket);
  }),
);
await tellPort(createServer(app));
