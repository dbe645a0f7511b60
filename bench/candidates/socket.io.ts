import { createServer, type Server } from 'node:http';
import { Server as SocketServer } from 'socket.io';

export function echo(): Server {
  const server = createServer();
  const io = new SocketServer(server, { transports: ['websocket'] });
  io.on('connection', (socket) => {
    socket.on('message', (message) => socket.emit('message', message));
  });
  return server.listen(0, '127.0.0.1');
}
