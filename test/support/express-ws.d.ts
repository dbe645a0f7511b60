// What the tests use of it. Its own types change those of Express for the whole program.
declare module 'express-ws' {
  import type { Server } from 'dwebsocket';
  import type { Express } from 'express';
  import type { WebSocket, WebSocketServer } from 'ws';
  export default function expressWs(
    app: Express,
    server: Server,
  ): { app: { ws(path: string, handler: (ws: WebSocket) => void): void }; getWss(): WebSocketServer };
}
