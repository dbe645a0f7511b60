import type { WebsocketOptions } from 'dwebsocket';

export type Data = string | Buffer;

/**
 * One conversation, as data. The client sends `send`; the handler must get `messages` and the client must get them
 * back, byte for byte in the shortest encoding, and `pongs` likewise; then the connection ends as `close` says.
 */
export interface Case {
  name: string;
  /** Whole frames, or any bytes: one write each. */
  send: Buffer[];
  /** What the handler gets and sends back, in order. Default: nothing. */
  messages?: Data[];
  /** Default: nothing. */
  pongs?: Data[];
  /**
   * The code of the close frame that `send` brings about; 1005 is a close frame without a code, `null` an end
   * without a close frame. Default: the client itself closes with 1000 when everything has come.
   */
  close?: number | null;
  /** What `websocket.closed` tells the handler. Default: `close`, and no reason. */
  closed?: { code: number; reason?: string };
  /**
   * After a message that is not wanted the connection is still sound, and the server waits for the answer to its close
   * frame; after bytes that are no protocol it does not (RFC 6455, 7.1.7).
   */
  clientAnswersClose?: boolean;
  /** What the client does to the TCP connection behind the last byte. */
  then?: 'FIN' | 'RST';
  /** The `Sec-WebSocket-Extensions` header of the handshake. */
  offer?: string;
}

export interface Section {
  name: string;
  options?: WebsocketOptions;
  cases: Case[];
}

/** A handshake and its answer. */
export interface HandshakeCase {
  name: string;
  request: string;
  status: number;
  /** Headers of the answer; `null` for one that must not be there. */
  headers?: Record<string, string | null>;
  /** Words the body must have, so that a person understands what is wrong. */
  body?: RegExp;
}

export interface HandshakeSection {
  name: string;
  options?: WebsocketOptions;
  cases: HandshakeCase[];
}

export const repeat = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** Bytes that are no text and differ from each other everywhere, so that a lost or swapped piece shows. */
export function bytes(length: number): Buffer {
  const data = Buffer.alloc(length);
  let state = 0x2545f491 ^ length;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[i] = state >>> 24;
  }
  return data;
}

/** Text of `length` bytes, different everywhere. */
export function letters(length: number): string {
  return Buffer.from(bytes(length).map((byte) => 0x20 + (byte % 0x5f))).toString('latin1');
}

export const hex = (data: Data): string => Buffer.from(data).toString('hex').replace(/../g, '$& ').trim();

/** Every way to cut `data` in two. */
export function cuts(data: Buffer): [Buffer, Buffer][] {
  return repeat(data.length - 1, (i) => [data.subarray(0, i + 1), data.subarray(i + 1)]);
}
