// Without the types of ws and of the DOM.
import { createServer, type IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import {
  passUpgrade,
  relay,
  requireWebsocket,
  type HandedOverWebsocket,
  type RelayEnd,
  type UpstreamSocket,
} from 'dwebsocket';

/** What many libraries declare. */
interface LibrarySocket {
  readonly protocol: string;
  send(data: string, callback: (error?: Error) => void): void;
  close(code: number, reason: string): void;
  on(event: 'message', listener: (data: Buffer) => void): unknown;
}

declare function useLibrary(socket: LibrarySocket, request: IncomingMessage): void;
declare const upstream: UpstreamSocket;

export const library = requireWebsocket((req) => {
  const socket: HandedOverWebsocket = req.websocket.handOver();
  useLibrary(socket as LibrarySocket, req);
  socket.ping();
  socket.terminate();
});

export const streams = requireWebsocket(async ({ websocket }) => {
  await pipeline(websocket.stream(), websocket.stream({ objectMode: true, binary: undefined }));
  await websocket.readable.pipeTo(websocket.writable);
  // @ts-expect-error -- a stream has no such option
  websocket.stream({ objectmode: true });
});

export const relayed = requireWebsocket(async ({ websocket }) => {
  const { endedBy, code }: RelayEnd = await relay(websocket, upstream);
  const by: 'client' | 'upstream' = endedBy;
  websocket.close(code, by);
});

export const values = requireWebsocket(
  async ({ websocket }) => {
    await relay(websocket, upstream);
  },
  { messages: 'json' },
);

export const passed = passUpgrade(
  (req, socket, head) => {
    socket.write(`${String(req.url)} ${head.length}`);
  },
  { origins: ['https://a.test'] },
);

createServer(passed);
