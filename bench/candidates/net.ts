import { createServer, type Server, type Socket } from 'node:net';
import { ACCEPT } from '../load/handshake.js';
import { Script, type ScriptPlan } from '../load/script.js';

/**
 * Shows the limit of the runtime, without any WebSocket. It knows beforehand what the clients send, counts the bytes,
 * and writes the replies that are due.
 */
export function echo(plan: ScriptPlan): Server {
  const script = new Script(plan);
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (handshake: Buffer) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          `Sec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
      );
      reply(socket, script, Number(/\?(\d+) /.exec(handshake.toString())?.[1] ?? 0));
    });
  });
  return server.listen(0, '127.0.0.1');
}

function reply(socket: Socket, script: Script, first: number): void {
  let received = 0;
  let replied = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    const due = Math.floor(received / script.requestSize) - replied;
    if (due === 0) return;
    socket.write(script.replies(first + replied, due));
    replied += due;
  });
}
