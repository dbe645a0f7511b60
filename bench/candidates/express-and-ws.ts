import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http';
import express, { type Request, type Response } from 'express';
import { WebSocketServer, type WebSocket } from 'ws';

/**
 * What one writes by hand to have a WebSocket in an Express route: the upgrade goes through the app, and the route is
 * an async function that lives as long as the websocket and can use `req` and `res` all the while.
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
  if (res.headersSent) console.log('never so: the 101 was not written by %s', req.url);
}
