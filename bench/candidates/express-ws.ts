import type { Server } from 'node:http';
import express from 'express';
import expressWs from 'express-ws';

export function echo(): Server {
  const { app } = expressWs(express());
  app.ws('/echo', (ws) => {
    ws.on('message', (message) => {
      ws.send(message);
    });
  });
  return app.listen(0, '127.0.0.1');
}
