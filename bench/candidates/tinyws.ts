import type { Server } from 'node:http';
import express, { type Request } from 'express';
import { tinyws, type TinyWSRequest } from 'tinyws';

export function echo(): Server {
  const app = express();
  app.get('/echo', async (req) => {
    const ws = await (req as Request & TinyWSRequest).ws();
    ws.on('message', (data: Buffer, isBinary) => {
      ws.send(isBinary ? data : data.toString());
    });
  });
  const server = app.listen(0, '127.0.0.1');
  // Its documentation passes a tinyhttp app, which has a method `handler`. An Express app is itself a handler.
  tinyws({ handler: app } as never, server);
  return server;
}
