import { createServer, type Server } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server as SocketServer, type ServerOptions } from 'socket.io';
import type { GroupsArgument } from '../candidates.js';

export function echo(): Server {
  const server = createServer();
  // The load accepts only echoes, and would take a ping for a wrong one.
  const io = new SocketServer(server, { transports: ['websocket'], pingInterval: 24 * 3600 * 1000 });
  io.on('connection', (socket) => {
    socket.on('message', (message) => socket.emit('message', message));
  });
  return server.listen(0, '127.0.0.1');
}

export async function groups({ burst, redis }: GroupsArgument): Promise<Server> {
  return serveRooms(burst, redis === undefined ? undefined : createAdapter(...(await connect(redis))));
}

/** Serves groups as rooms. */
export function serveRooms(burst: number, adapter?: ServerOptions['adapter']): Server {
  const server = createServer();
  const io = new SocketServer(server, { transports: ['websocket'], ...(adapter && { adapter }) });
  io.on('connection', (socket) => {
    const { role, group = '' } = socket.handshake.query as Record<string, string>;
    if (role === 'member') {
      void socket.join(group);
      return;
    }
    socket.on('message', (text: string) => {
      for (let index = 0; index < burst; index++) io.to(group).emit('message', text + String(index % 10));
    });
  });
  return server.listen(0, '127.0.0.1');
}

/** Opens the two connections that the adapters of Socket.IO need. */
export async function connect(url: string) {
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  return [publisher, subscriber] as const;
}
