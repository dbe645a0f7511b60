import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import express from 'express';
import { expect } from 'vitest';
import { closeWebsockets, openWebsockets, requireWebsocket } from 'dwebsocket';
import { requestWebsocket } from '../support/http2-tunnel.js';
import { closeCodeOf, FrameReader, text, close, Opcode } from '../support/raw-frames.js';
import { serveHttp2 } from './serve-http2.js';

/** Opens websockets on many sessions, has each echo a message, and closes all of them with 1001. */
export async function holdCrowd(sessions: number, each: number): Promise<void> {
  const app = express();
  app.get(
    '/echo',
    requireWebsocket(async ({ websocket }) => {
      for await (const message of websocket) websocket.send(message);
    }),
  );
  const site = await serveHttp2(app as never);
  const streams: ClientHttp2Stream[] = [];
  const responses: Promise<unknown>[] = [];
  for (let count = 0; count < sessions; count++) {
    const session = await site.session();
    for (let index = 0; index < each; index++) {
      const stream = requestWebsocket(session, '/echo');
      streams.push(stream);
      responses.push(once(stream, 'response'));
    }
  }
  await Promise.all(responses);
  expect(openWebsockets(site.server).size).toBe(sessions * each);
  const ends = streams.map((stream, index) => talk(stream, `message ${String(index)}`));
  await Promise.all(ends.map(({ echoed }) => echoed));

  await closeWebsockets(site.server, { timeout: 60_000 });

  const codes = await Promise.all(ends.map(({ closed }) => closed));
  expect(codes.every((code) => code === 1001)).toBe(true);
  expect(openWebsockets(site.server).size).toBe(0);
}

function talk(stream: ClientHttp2Stream, message: string) {
  const reader = new FrameReader();
  let echo!: (value: unknown) => void;
  let end!: (code: number) => void;
  const echoed = new Promise((resolve) => (echo = resolve));
  const closed = new Promise<number>((resolve) => (end = resolve));
  stream.on('data', (chunk: Buffer) => {
    for (const frame of reader.push(chunk)) {
      if (frame.opcode === Opcode.close) {
        end(closeCodeOf(frame));
        stream.end(close(1001));
      } else if (frame.payload.toString() === message) echo(true);
    }
  });
  stream.on('close', () => {
    echo(false);
    end(1006);
  });
  stream.write(text(message));
  return { echoed, closed };
}
