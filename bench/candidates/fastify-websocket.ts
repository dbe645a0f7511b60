import type { Server } from 'node:http';
import websocket from '@fastify/websocket';
import fastify from 'fastify';

export async function echo(): Promise<Server> {
  const app = fastify();
  await app.register(websocket);
  app.get('/echo', { websocket: true }, (socket) => {
    socket.on('message', (data: Buffer, isBinary) => {
      socket.send(isBinary ? data : data.toString());
    });
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server;
}
