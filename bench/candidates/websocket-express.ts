import type { Server } from 'node:http';
import { WebSocketExpress } from 'websocket-express';
import type { WebSocket } from 'ws';

export function echo(): Server {
  const app = new WebSocketExpress();
  app.ws('/echo', async (_req, res) => {
    // Its type declarations name the module `ws` instead of the class `WebSocket`.
    const ws = (await res.accept()) as unknown as WebSocket;
    ws.on('message', (data: Buffer, isBinary) => {
      ws.send(isBinary ? data : data.toString());
    });
  });
  return app.createServer().listen(0, '127.0.0.1');
}
