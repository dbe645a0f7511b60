import { createServer, type Server } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server as SocketServer, type ServerOptions } from 'socket.io';
import type { GroupsArgument, PeopleArgument } from '../candidates.js';
import { obey } from '../presence.js';

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

export async function people({ redis }: PeopleArgument): Promise<Server> {
  return servePeople(createAdapter(...(await connect(redis))));
}

/** Lets websockets join and leave rooms by name, and lists the people of a room in all processes. */
export function servePeople(adapter: NonNullable<ServerOptions['adapter']>): Server {
  const server = createServer();
  const io = new SocketServer(server, { transports: ['websocket'], adapter });
  io.on('connection', (socket) => {
    const { group = '', as = '' } = socket.handshake.query as Record<string, string>;
    socket.data = { as };
    const read = async () =>
      (await io.in(group).fetchSockets()).map(({ data }) => (data as { as: string }).as);
    const presence = {
      join: () => socket.join(group),
      leave: () => socket.leave(group),
      read,
      // No event tells of a join in another process, so the server has to ask.
      see: async (name: string) => {
        while (!(await read()).includes(name));
      },
    };
    socket.on('message', (order: string) => {
      void obey(order, presence, (text) => socket.emit('message', text));
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
