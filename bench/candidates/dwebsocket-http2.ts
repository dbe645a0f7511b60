import { createServer } from 'node:http2';
import type { Server } from 'node:net';
import { attachWebsocket, requireWebsocket } from 'dwebsocket';
import express from 'express';

export function echo(): Server {
  const app = express();
  app.get(
    '/echo',
    requireWebsocket(async (req) => {
      for await (const message of req.websocket) req.websocket.send(message);
    }),
  );
  const server = createServer(app as never);
  attachWebsocket(server);
  return server.listen(0, '127.0.0.1');
}
