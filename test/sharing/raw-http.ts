import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { onTestFinished } from 'vitest';
import { within } from '../support/inbox.js';
import type { Site } from '../support/serve.js';

export interface RawAnswer {
  status: number;
  /** The head as received, without the date. */
  head: string;
  body: string;
}

/** Writes requests as bytes to one connection, so that a test sees whether it stays open. */
export class RawHttp {
  readonly socket: Socket;
  #text = '';
  #ended = false;
  #look: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
      this.#look();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#ended = true;
      this.#look();
    });
  }

  /** Resolves with whether the server has ended the connection, once the last response is complete. */
  async isOpen(): Promise<boolean> {
    this.socket.write('GET /still-open HTTP/1.1\r\nHost: a.test\r\n\r\n');
    const answer = await this.next();
    return answer?.status === 200;
  }

  /** Resolves with the next response, or with `undefined` if the server ends the connection instead. */
  next(): Promise<RawAnswer | undefined> {
    const answer = new Promise<RawAnswer | undefined>((resolve) => {
      this.#look = () => {
        const taken = this.#take();
        if (taken !== undefined || this.#ended) resolve(taken);
      };
      this.#look();
    });
    return within(answer, 'answer on this connection');
  }

  #take(): RawAnswer | undefined {
    const end = this.#text.indexOf('\r\n\r\n');
    if (end === -1) return undefined;
    const head = this.#text.slice(0, end);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    if (this.#text.length < end + 4 + length) return undefined;
    const body = this.#text.slice(end + 4, end + 4 + length);
    this.#text = this.#text.slice(end + 4 + length);
    return { status: Number(head.split(' ')[1]), head: head.replace(/^date: .*\r\n/im, ''), body };
  }
}

export async function connectHttp({ port, tls }: Site): Promise<RawHttp> {
  const host = '127.0.0.1';
  const socket = tls ? connectTls({ port, host, rejectUnauthorized: false }) : connect({ port, host });
  onTestFinished(() => void socket.destroy());
  const connected = new Promise<void>((resolve, reject) => {
    socket.once(tls ? 'secureConnect' : 'connect', resolve);
    socket.once('error', reject);
  });
  await within(connected, 'connection');
  return new RawHttp(socket);
}

/** Returns a request as text. */
export function formatRequest(
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): string {
  const lines = Object.entries({ Host: 'a.test', ...headers }).map(([name, value]) => `${name}: ${value}`);
  if (body !== '' && !('Transfer-Encoding' in headers))
    lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return [`${method} ${path} HTTP/1.1`, ...lines, '', body].join('\r\n');
}
