import type { Server } from 'node:http';
import { Server as SocketServer } from 'socket.io';

/** The other library on the same server. */
export function addSocketIo(server: Server): void {
  const io = new SocketServer(server);
  io.on('connection', (socket) => socket.on('message', (message) => socket.emit('message', message)));
}
