import { createServer, type Server } from 'node:http';
import crossws from 'crossws/adapters/node';

export function echo(): Server {
  const websockets = crossws({
    hooks: {
      message(peer, message) {
        peer.send(typeof message.rawData === 'string' ? message.text() : message.uint8Array());
      },
    },
  });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    void websockets.handleUpgrade(request, socket, head);
  });
  return server.listen(0, '127.0.0.1');
}
