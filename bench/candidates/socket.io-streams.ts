import { createServer, type Server } from 'node:http';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { createClient } from 'redis';
import { Server as SocketServer } from 'socket.io';
import type { HistoryArgument } from '../candidates.js';

/** Serves rooms with connection state recovery. A client that comes back gets what it has missed. */
export async function history({ redis, length, groups }: HistoryArgument): Promise<Server> {
  const client = createClient({ url: redis });
  await client.connect();
  const server = createServer();
  const io = new SocketServer(server, {
    transports: ['websocket'],
    // All rooms share one stream, so that it keeps as many messages as ours together.
    adapter: createAdapter(client, { maxLen: length * groups }),
    connectionStateRecovery: {},
  });
  io.on('connection', (socket) => {
    const { role, group = '' } = socket.handshake.query as Record<string, string>;
    if (!socket.recovered) void socket.join(group);
    if (role === 'sender') {
      socket.on('message', (text: string) => {
        io.to(group).emit('message', text);
      });
    }
  });
  return server.listen(0, '127.0.0.1');
}
