import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server as SocketServer } from 'socket.io';

/** Adds something else that listens to 'upgrade' of the same server. */
export type AddNeighbour = (server: Server) => void;

/** Another library. */
export const addSocketIo: AddNeighbour = (server) => {
  const io = new SocketServer(server);
  io.on('connection', (socket) => socket.on('message', (message) => socket.emit('message', message)));
};

/** An app's own listener, which looks for a session first, as the README of `ws` shows. */
export const addAsyncListener: AddNeighbour = (server) => {
  server.on('upgrade', async (req, socket) => {
    await sleep(20);
    if (!req.url?.startsWith('/theirs')) socket.destroy();
  });
};
