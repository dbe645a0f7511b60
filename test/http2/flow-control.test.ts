// Backpressure over HTTP/2: each stream has its own window, and all streams of a session share one connection.
import { once } from 'node:events';
import { constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import express from 'express';
import { expect, test } from 'vitest';
import { requireWebsocket, type Websocket } from 'dwebsocket';
import { requestWebsocket } from '../support/http2-tunnel.js';
import { binary, text } from '../support/raw-frames.js';
import { serveHttp2, type AnyApp } from './serve-http2.js';

const MIB = 1_048_576;

/** Serves a route whose handlers wait until the test reads from their websockets. */
function serveIdle(opened: (websocket: Websocket) => void, maxQueue = 64 * 1_024): AnyApp {
  const app = express();
  app.get(
    '/idle',
    requireWebsocket(
      async ({ websocket }) => {
        opened(websocket);
        await websocket.closed;
      },
      { maxQueue, maxPayload: 8 * MIB },
    ),
  );
  app.get(
    '/echo',
    requireWebsocket(async ({ websocket }) => {
      for await (const message of websocket) await websocket.send(message);
    }),
  );
  return app as never;
}

async function open(session: ClientHttp2Session, path: string): Promise<ClientHttp2Stream> {
  const stream = requestWebsocket(session, path);
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  expect(headers[':status']).toBe(200);
  return stream;
}

/** Writes until the window of the stream is full: nothing more is taken during many round trips of the session. */
async function fill(session: ClientHttp2Session, stream: ClientHttp2Stream, frame: Buffer): Promise<number> {
  let taken = 0;
  let isFull = false;
  const write = (): void => {
    stream.write(frame, () => {
      taken += frame.length;
      if (!isFull) write();
    });
  };
  write();
  let before = -1;
  while (taken !== before) {
    before = taken;
    for (let trips = 0; trips < 20; trips++) await roundTrip(session);
  }
  isFull = true;
  return taken;
}

function roundTrip(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    session.ping((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

test('maxQueue and the window of the stream bound what a client can send before it is read', async () => {
  let websocket!: Websocket;
  const site = await serveHttp2(serveIdle((opened) => (websocket = opened)));
  const session = await site.session();
  const stream = await open(session, '/idle');
  const taken = await fill(session, stream, binary(Buffer.alloc(1_000)));
  expect(taken).toBeGreaterThan(64 * 1_024);
  // The queue, the window of 256 KiB, the buffers of the two streams, and a frame for each.
  expect(taken).toBeLessThan(640 * 1_024);
  // It goes on when the handler reads.
  for (let messages = 0; messages < taken / 1_100; messages++) expect(await websocket.wait()).not.toBeNull();
  stream.close(constants.NGHTTP2_CANCEL);
});

test('a websocket that nobody reads does not stop its neighbours on the session', async () => {
  const site = await serveHttp2(serveIdle(() => undefined));
  const session = await site.session();
  const stuck = await Promise.all([open(session, '/idle'), open(session, '/idle'), open(session, '/idle')]);
  for (const stream of stuck) await fill(session, stream, binary(Buffer.alloc(10_000)));
  const lively = await open(session, '/echo');
  for (let round = 0; round < 100; round++) {
    lively.write(text(`message ${String(round)}`));
    await once(lively, 'data');
  }
  for (const stream of [...stuck, lively]) stream.close(constants.NGHTTP2_CANCEL);
});

test('a client that does not read holds send, and only its own', async () => {
  const websockets: Websocket[] = [];
  const site = await serveHttp2(serveIdle((opened) => websockets.push(opened)));
  const session = await site.session();
  const [slow] = [await open(session, '/idle'), await open(session, '/idle')];
  const [first, second] = websockets as [Websocket, Websocket];
  slow.pause();
  let sent = 0;
  const pump = (async () => {
    while (await first.send(Buffer.alloc(65_536))) sent++;
  })();
  let before = -1;
  while (sent !== before) {
    before = sent;
    for (let trips = 0; trips < 20; trips++) await roundTrip(session);
  }
  expect(sent * 65_536).toBeLessThan(8 * MIB);
  for (let round = 0; round < 50; round++) expect(await second.send('lively')).toBe(true);
  slow.resume();
  const held = sent;
  while (sent < held + 50) await roundTrip(session);
  slow.close(constants.NGHTTP2_CANCEL);
  await pump;
});

test('a small message does not retain the memory of the chunk that it came in', async () => {
  const websockets: Websocket[] = [];
  const site = await serveHttp2(serveIdle((opened) => websockets.push(opened)));
  const session = await site.session();
  const stream = await open(session, '/idle');
  const sink = await open(session, '/idle');
  // In one packet: a small message for one websocket, and a large one for another.
  stream.write(binary(Buffer.from([1, 2, 3])));
  sink.write(binary(Buffer.alloc(30_000)));
  const message = (await websockets[0]?.wait()) as Buffer;
  expect([...message]).toEqual([1, 2, 3]);
  expect(message.buffer.byteLength).toBeLessThan(100);
  for (const each of [stream, sink]) each.close(constants.NGHTTP2_CANCEL);
});
