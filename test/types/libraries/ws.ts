// With the types of ws and of the DOM: what is handed over is both.
import { once } from 'node:events';
import { relay, requireWebsocket } from 'dwebsocket';
import { createWebSocketStream, WebSocketServer, WebSocket as WsSocket } from 'ws';

declare function takeWs(socket: WsSocket): void;
declare function takePlatform(socket: WebSocket): void;
declare function takeInterface(socket: Pick<WsSocket, 'on' | 'once' | 'off' | 'send' | 'close'>): void;

export const library = requireWebsocket(async (req) => {
  const socket = req.websocket.handOver();
  takeWs(socket);
  takePlatform(socket);
  takeInterface(socket);
  createWebSocketStream(socket);
  socket.on('message', (data, isBinary) => {
    const bytes: Buffer | ArrayBuffer | Buffer[] = data;
    socket.send(bytes as Buffer, { binary: isBinary }, (error) => error?.message);
  });
  socket.on('close', (code: number, reason: Buffer) => {
    socket.emit('closed', code, reason);
  });
  socket.addEventListener('message', (event) => {
    socket.send(String(event.data));
  });
  await once(socket, 'close');
});

export const server = requireWebsocket((req) => {
  const wss = new WebSocketServer({ noServer: true });
  wss.on('connection', takeWs);
  req.websocket.handOver(wss);
  // @ts-expect-error -- no server
  req.websocket.handOver({ port: 80 });
});

export const relayed = requireWebsocket(async ({ websocket }) => {
  await relay(websocket, new WsSocket('ws://localhost'));
});

export const relayedToPlatform = requireWebsocket(async ({ websocket }) => {
  await relay(websocket, new WebSocket('ws://localhost'));
});
