import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http';
import express, { type Request, type Response } from 'express';
import { WebSocketServer, type WebSocket } from 'ws';

/**
 * A WebSocket in an Express route, written by hand. The upgrade goes through the app. The route is an async function
 * that runs as long as the websocket is open, and can use `req` and `res` all the time.
 */
export function echo(): Server {
  const app = express();
  const wss = new WebSocketServer({ noServer: true });
  const heads = new WeakMap<IncomingMessage, Buffer>();

  app.get('/echo', (req, res, next) => {
    wss.handleUpgrade(req, req.socket, heads.get(req) ?? Buffer.alloc(0), (ws) => {
      talk(ws, req, res).catch(next);
    });
  });

  const server = createServer(app);
  server.on('upgrade', (request, socket, head) => {
    heads.set(request, head);
    app(request, new ServerResponse(request));
    socket.on('error', () => socket.destroy());
  });
  return server.listen(0, '127.0.0.1');
}

async function talk(ws: WebSocket, req: Request, res: Response): Promise<void> {
  ws.on('error', console.error);
  ws.on('message', (data: Buffer, isBinary) => {
    ws.send(isBinary ? data : data.toString());
  });
  await new Promise((resolve) => ws.on('close', resolve));
  // Uses `req` and `res`, so that they stay in memory. `ws` wrote the 101, so this is never true.
  if (res.headersSent) console.log('the response of %s has sent headers', req.url);
}
