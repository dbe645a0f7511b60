// Each test checks one private name of `ws`. If a test fails with a new version, its name says what has changed and what
// the package uses it for. `.ci/run` runs this file with the oldest and the newest `ws` that package.json allows.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws';
import {
  extension,
  fragmentsOf,
  InternalWebSocket,
  isClosing,
  leaveServer,
  PerMessageDeflate,
  subprotocol,
  WebSocketView,
  type ServerOptions,
  type SocketServer,
} from '../../src/internals/ws.js';
import { openRaw, type RawClient } from '../support/raw-client.js';
import { binary, close, more } from '../support/raw-frames.js';
import { listen } from '../support/serve.js';

const CLOSE_TIMEOUT = 4_321;

async function accept(options: ServerOptions = {}): Promise<{ ws: InternalWebSocket; client: RawClient }> {
  const server = createServer();
  const sockets = new WebSocketServer({
    server,
    WebSocket: InternalWebSocket,
    closeTimeout: CLOSE_TIMEOUT,
    ...options,
  }) as WebSocketServer & { clients: Set<InternalWebSocket> };
  const { port } = await listen(server);
  const connected = once(sockets, 'connection');
  const client = await openRaw(port);
  const [ws] = (await connected) as [InternalWebSocket];
  onTestFinished(() => {
    ws.stopCloseTimer();
    ws.terminate();
    client.destroy();
  });
  return { ws, client };
}

test('_receiver: is the stream that parses the frames of a client; the reader sits in front of it', async () => {
  const { ws, client } = await accept();
  const write = vi.spyOn(ws.receiver!, 'write');
  const message = once(ws, 'message');
  client.write(binary('abc'));
  await message;
  const chunks = write.mock.calls.map(([chunk]) => chunk as Buffer);
  expect(Buffer.concat(chunks)).toHaveLength(binary('abc').length);
});

test('_fragments: holds the payloads of an incomplete message; the reader joins them', async () => {
  const { ws, client } = await accept();
  const message = once(ws, 'message');
  client.write(binary('ab', { fin: false }), more('cd', { fin: false }));
  await expect.poll(() => fragmentsOf(ws.receiver!).map(String)).toEqual(['ab', 'cd']);
  fragmentsOf(ws.receiver!).splice(0, 2, Buffer.from('abcd'));
  client.write(more('ef'));
  expect(String((await message)[0])).toBe('abcdef');
});

test('_socket: is the socket of the connection; the package ends it only once', async () => {
  const { ws } = await accept();
  expect(Reflect.get(ws, '_socket') as Socket).toMatchObject({ writable: true });
});

test('_closeTimeout and _closeTimer: limit the time for the peer to answer a close frame, with a global timer', async () => {
  const { ws } = await accept();
  expect(Reflect.get(ws, '_closeTimeout')).toBe(CLOSE_TIMEOUT);
  ws.closeTimeout = 1_234;
  expect(Reflect.get(ws, '_closeTimer')).toBeNull();
  ws.close(1000);
  expect(Reflect.get(ws, '_closeTimer')).toMatchObject({ _idleTimeout: 1_234 });
});

test('maxFragments: 0 means no limit; the reader limits the bytes of the fragments', async () => {
  const { ws, client } = await accept({ maxFragments: 0, maxBufferedChunks: 0 });
  const message = once(ws, 'message');
  client.write(
    binary('', { fin: false }),
    ...Array.from({ length: 20_000 }, () => more('', { fin: false })),
    more('x'),
  );
  expect(String((await message)[0])).toBe('x');
});

test('extension, subprotocol and PerMessageDeflate: check the headers of a handshake before it is accepted', () => {
  expect(extension.parse('permessage-deflate; client_max_window_bits')).toHaveProperty('permessage-deflate');
  expect(() => extension.parse(';')).toThrow(SyntaxError);
  expect([...subprotocol.parse('a, b')]).toEqual(['a', 'b']);
  expect(() => subprotocol.parse('a, a')).toThrow(SyntaxError);
  const deflate = new PerMessageDeflate({ isServer: true });
  expect(() => {
    deflate.accept([{ server_max_window_bits: ['7'] }]);
  }).toThrow();
});

test('_socket: is the socket of a WebSocket; libraries read it of one that was handed over', async () => {
  const { ws } = await accept();
  const view = new WebSocketView(ws);
  expect(Reflect.get(view, '_socket')).toBe(Reflect.get(ws, '_socket'));
  expect(view).toBeInstanceOf(WebSocket);
  const stream = createWebSocketStream(view as unknown as WebSocket);
  stream.on('error', () => {}).destroy();
});

test('_closeFrameReceived and _closeFrameSent: make wasClean of a close event; it is copied', async () => {
  const { ws, client } = await accept();
  class View extends WebSocketView {
    end(): void {
      this.copyEnd(ws);
    }
  }
  const view = new View(ws);
  const seen: boolean[] = [];
  const target = view as unknown as WebSocket;
  target.addEventListener('close', ({ wasClean }) => seen.push(wasClean));
  view.emit('close', 1006, Buffer.alloc(0));
  const closed = once(ws, 'close');
  client.write(close(1000));
  await closed;
  view.end();
  view.emit('close', 1000, Buffer.alloc(0));
  expect(seen).toEqual([false, true]);
});

test('_state and _shouldEmitClose: say that a server closes, and that it waits for its clients', async () => {
  const server = new WebSocketServer({ noServer: true }) as WebSocketServer & SocketServer;
  expect(isClosing(server)).toBe(false);
  const client = {};
  (server.clients as Set<unknown>).add(client);
  const closed = once(server, 'close');
  server.close();
  expect(isClosing(server)).toBe(true);
  leaveServer(server, client);
  await closed;
  expect(() => {
    server.close((error) => {
      expect(error?.message).toMatch(/not running/);
    });
  }).not.toThrow();
});
