import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { onTestFinished } from 'vitest';
import { createWebSocketStream, WebSocket } from 'ws';
import { startProgram } from './program.js';
import type { BulkReport } from './programs/bulk.js';

export const MiB = 2 ** 20;

/** A server in a process of its own that streams a large file. */
export interface BulkServer {
  /** The file that the server streams, its checksum, and where the server writes an upload. */
  readonly file: string;
  readonly checksum: string;
  readonly copy: string;
  /** Returns the URL of a transfer of the first bytes of the file. */
  url(path: string, bytes?: number): string;
  report(): Promise<BulkReport>;
}

/** What a client got, until the server closed. */
export interface Download {
  readonly bytes: number;
  readonly checksum: string;
  readonly code: number;
}

/** Starts the server with a file of random bytes. */
export async function startBulkServer(bytes: number): Promise<BulkServer> {
  const folder = mkdtempSync(join(tmpdir(), 'bulk-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const [file, copy] = [join(folder, 'file'), join(folder, 'copy')];
  const hash = createHash('sha1');
  await pipeline(function* () {
    for (let written = 0; written < bytes; written += MiB) {
      const block = randomBytes(MiB);
      hash.update(block);
      yield block;
    }
  }, createWriteStream(file));
  const { site, ask } = await startProgram('bulk', { FILE: file, COPY: copy });
  return {
    file,
    copy,
    checksum: hash.digest('hex'),
    url: (path, count = bytes) => `ws://127.0.0.1:${String(site.port)}${path}?bytes=${String(count)}`,
    report: () => ask<BulkReport>('report'),
  };
}

/** Opens a websocket that ends with the test. */
export async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  onTestFinished(() => {
    socket.terminate();
  });
  await once(socket, 'open');
  return socket;
}

/** Reads until the server closes. */
export async function download(url: string): Promise<Download> {
  const socket = new WebSocket(url);
  onTestFinished(() => {
    socket.terminate();
  });
  const hash = createHash('sha1');
  let bytes = 0;
  socket.on('message', (data: Buffer) => {
    hash.update(data);
    bytes += data.length;
  });
  const [code] = (await once(socket, 'close')) as [number];
  return { bytes, checksum: hash.digest('hex'), code };
}

/** Sends a stream, and closes. Resolves when the server has answered. */
export async function upload(url: string, source: Readable): Promise<void> {
  const socket = await openSocket(url);
  const closed = once(socket, 'close');
  await pipeline(source, createWebSocketStream(socket));
  await closed;
}

/** Sends a stream, reads as many bytes, and closes. Returns the checksum of what came back. */
export async function exchange(url: string, source: Readable, bytes: number): Promise<string> {
  const socket = await openSocket(url);
  const stream = createWebSocketStream(socket);
  source.pipe(stream, { end: false });
  const hash = createHash('sha1');
  let received = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    received += chunk.length;
    if (received >= bytes) stream.end();
  }
  return hash.digest('hex');
}

/** Returns the checksum of a stream. */
export async function checksumOf(source: Readable): Promise<string> {
  const hash = createHash('sha1');
  await pipeline(source, hash);
  return hash.digest('hex');
}
