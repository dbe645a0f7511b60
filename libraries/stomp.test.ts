import { Client, type IMessage } from '@stomp/stompjs';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { defer, Inbox, within } from '../test/support/inbox.js';
import { serveBlock } from './support/serve-library.js';

interface Visitor {
  readonly stomp: Client;
  readonly messages: Inbox<IMessage>;
  readonly closed: Promise<number>;
  /** The socket of the client. */
  socket(): WebSocket;
}

/** Connects with the client's defaults: it offers three versions. */
async function connect(url: string): Promise<Visitor> {
  let socket!: WebSocket;
  const connected = defer();
  const closed = defer<number>();
  const stomp = new Client({
    webSocketFactory: () => (socket = new WebSocket(url, ['v12.stomp', 'v11.stomp', 'v10.stomp'])),
    reconnectDelay: 0,
    onConnect: () => {
      connected.resolve();
    },
    onWebSocketClose: ({ code }) => {
      closed.resolve(code as number);
    },
  });
  stomp.activate();
  onTestFinished(() => stomp.deactivate({ force: true }));
  await within(connected.promise, 'CONNECTED');
  return {
    stomp,
    messages: new Inbox(),
    closed: within(closed.promise, 'close', 60_000),
    socket: () => socket,
  };
}

/** Resolves when the server has handled the frame. */
async function receiptOf(stomp: Client, send: (headers: { receipt: string }) => void): Promise<void> {
  const done = defer();
  const receipt = Math.random().toString(36);
  stomp.watchForReceipt(receipt, () => {
    done.resolve();
  });
  send({ receipt });
  await within(done.promise, 'RECEIPT');
}

async function subscribe({ stomp, messages }: Visitor, destination: string): Promise<void> {
  await receiptOf(stomp, (headers) => {
    stomp.subscribe(
      destination,
      (message) => {
        messages.push(message);
      },
      headers,
    );
  });
}

async function open() {
  const site = await serveBlock('stomp');
  return { site, sessions: site.exports['sessions'] as Set<unknown>, url: site.url('/stomp') };
}

test('a subscriber gets what another client sends, in order', async () => {
  const { site, url } = await open();
  const [reader, writer] = [await connect(url), await connect(url)];
  await subscribe(reader, '/topic/news');
  const body = 'a long text in 日本語 '.repeat(5_000);
  writer.stomp.publish({ destination: '/topic/other', body: 'not for the reader' });
  writer.stomp.publish({ destination: '/topic/news', body });
  await receiptOf(writer.stomp, (headers) => {
    writer.stomp.publish({ destination: '/topic/news', body: 'second', headers });
  });
  expect((await reader.messages.next()).body).toBe(body);
  expect((await reader.messages.next()).body).toBe('second');
  expect(reader.socket().protocol).toBe('v11.stomp');
  await Promise.all([reader.stomp.deactivate(), writer.stomp.deactivate()]);
  await site.expectQuiet();
});

test('a session ends when its client says DISCONNECT and closes', async () => {
  const { site, sessions, url } = await open();
  const { stomp, closed } = await connect(url);
  expect(sessions.size).toBe(1);
  await stomp.deactivate();
  expect(await closed).toBe(1005);
  await expect.poll(() => sessions.size).toBe(0);
  await site.expectQuiet();
});

test('a session ends when its connection is lost', async () => {
  const { site, sessions, url } = await open();
  const { socket } = await connect(url);
  expect(sessions.size).toBe(1);
  socket().terminate();
  await expect.poll(() => sessions.size).toBe(0);
  await site.expectQuiet();
});

test('a client that does not speak STOMP is closed with 1011', async () => {
  const { site, sessions, url } = await open();
  const socket = new WebSocket(url, ['v11.stomp']);
  const closed = defer<number>();
  socket.on('open', () => {
    socket.send('GET / HTTP/1.1\nno header\n\n');
  });
  socket.on('close', closed.resolve);
  expect(await within(closed.promise, 'close')).toBe(1011);
  await expect.poll(() => sessions.size).toBe(0);
  await site.expectQuiet();
});

test('clients see 1001 at shutdown', async () => {
  const { site, sessions, url } = await open();
  const { closed } = await connect(url);
  await site.shutDown();
  expect(await closed).toBe(1001);
  await expect.poll(() => sessions.size).toBe(0);
  await site.expectQuiet();
});
