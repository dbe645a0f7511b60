import { expect } from 'vitest';
import { connectRaw, messagesOf, openRaw, type RawClient } from '../support/raw-client.js';
import { close, closeCodeOf, encodeServerFrame, Opcode, type RawFrame } from '../support/raw-frames.js';
import type { Case, Data } from './case.js';
import { inflater } from './deflate.js';
import type { Target } from './target.js';

/** How the client's bytes reach the server. */
export const deliveries = ['frame by frame', 'right behind the handshake', 'byte by byte'] as const;
export type Delivery = (typeof deliveries)[number];

/** Byte by byte is for what is short: it takes a turn of the event loop a byte. */
export const fits = (row: Case, delivery: Delivery): boolean =>
  delivery !== 'byte by byte' || Buffer.concat(row.send).length <= 400;

let lastId = 0;

/** Has one conversation and compares everything that came back, to the byte. */
export async function talk(target: Target, row: Case, delivery: Delivery): Promise<void> {
  const id = String(++lastId);
  const client = await start(target, row, delivery, `/echo?id=${id}`);
  try {
    const messages = row.messages ?? [];
    const pongs = row.pongs ?? [];
    const clientCloses = row.close === undefined;
    if (clientCloses) {
      await client.until(
        () =>
          messagesOf(client).length >= messages.length && client.framesOf(Opcode.pong).length >= pongs.length,
        `${String(messages.length)} messages and ${String(pongs.length)} pongs`,
      );
      client.write(close(1000));
    }
    if (row.clientAnswersClose === true) {
      await client.until(() => client.framesOf(Opcode.close).length > 0, 'a close frame');
      client.write(close(row.close ?? 1000));
    }
    if (row.then === 'FIN') client.socket.end();
    if (row.then === 'RST') {
      client.reset();
    } else {
      // RFC 6455, 7.1.1: it is the server that ends the TCP connection, and cleanly.
      expect(await client.end()).toBe('end');
      checkEchoes(await decode(client), messages);
      checkPongs(client, pongs);
      checkClose(client, clientCloses ? 1000 : row.close);
    }
    await checkAccount(target, id, row);
  } finally {
    client.destroy();
  }
}

async function start(target: Target, row: Case, delivery: Delivery, path: string): Promise<RawClient> {
  const headers = { 'Sec-WebSocket-Extensions': row.offer };
  const socket = target.connect?.();
  if (delivery === 'right behind the handshake') {
    const client = await connectRaw(target.port, { path, headers, socket, early: Buffer.concat(row.send) });
    expect((await client.response()).status).toBe(101);
    return client;
  }
  const client = await openRaw(target.port, { path, headers, socket });
  if (delivery === 'byte by byte') {
    await client.writeSlowly(Buffer.concat(row.send));
    return client;
  }
  for (const bytes of row.send) {
    client.write(bytes);
    if (bytes.length < 1_000) await new Promise(setImmediate); // a segment for each, while they are few
  }
  return client;
}

/** The server's messages; compressed ones as they were before, re-framed in the one right form. */
export async function decode(client: RawClient): Promise<Buffer[]> {
  const agreed = (await client.response()).headers.get('sec-websocket-extensions') ?? '';
  const inflate = inflater({
    takeover: !agreed.includes('server_no_context_takeover'),
    windowBits: Number(/server_max_window_bits=(\d+)/.exec(agreed)?.[1] ?? 15),
  });
  return messagesOf(client).map((frame) => {
    const compressed = frame.rsv === 4 && agreed !== '';
    return compressed ? encodeServerFrame(frame.opcode, inflate(frame.payload)) : frame.bytes;
  });
}

function checkEchoes(frames: Buffer[], messages: Data[]): void {
  const wanted = messages.map((message) => {
    return encodeServerFrame(typeof message === 'string' ? Opcode.text : Opcode.binary, message);
  });
  expect(frames.length).toBe(wanted.length);
  for (const [i, frame] of frames.entries()) expectBytes(frame, wanted[i] ?? Buffer.alloc(0));
}

function checkPongs(client: RawClient, pongs: Data[]): void {
  const frames = client.framesOf(Opcode.pong).map((frame) => frame.bytes);
  expect(frames.length).toBe(pongs.length);
  for (const [i, frame] of frames.entries())
    expectBytes(frame, encodeServerFrame(Opcode.pong, pongs[i] ?? ''));
}

function checkClose(client: RawClient, code: Case['close']): void {
  const closes = client.framesOf(Opcode.close);
  expect(closes.map(closeCodeOf)).toEqual(code === null ? [] : [code]);
  expect(client.framesOf(Opcode.ping)).toEqual([]);
  expect(client.rest.toString('hex')).toBe('');
  if (code === null) return;
  // A close frame is short, whole and unmasked, and the last thing that is sent (5.5.1).
  const frame = closes[0] as RawFrame;
  expectBytes(frame.bytes, encodeServerFrame(Opcode.close, frame.payload));
  expect(client.frames.at(-1)).toBe(frame);
}

async function checkAccount(target: Target, id: string, row: Case): Promise<void> {
  const account = await target.account(id);
  const closed = await account.closed;
  expect(account.received.length).toBe(row.messages?.length ?? 0);
  for (const [i, message] of account.received.entries()) {
    const wanted = row.messages?.[i] ?? '';
    expect(typeof message).toBe(typeof wanted);
    expectBytes(Buffer.from(message), Buffer.from(wanted));
  }
  if (closed !== null) expect(closed).toMatchObject(row.closed ?? { code: row.close ?? 1000 });
}

/** Like `toEqual`, without printing 16 MiB. */
function expectBytes(got: Buffer, wanted: Buffer): void {
  if (got.equals(wanted)) return;
  const show = (bytes: Buffer) => `${String(bytes.length)} bytes: ${bytes.subarray(0, 80).toString('hex')}`;
  expect(show(got)).toBe(show(wanted));
  throw new Error('the bytes differ behind the 80th');
}
