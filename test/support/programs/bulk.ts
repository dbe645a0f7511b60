/** A server that streams files, a program and a generator through websockets. It tells its peak memory when it is asked. */
import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { createServer } from 'node:http';
import { Duplex, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream, WritableStream } from 'node:stream/web';
import express from 'express';
import { requireWebsocket, type Websocket } from 'dwebsocket';
import { tellPort } from './listen.js';

export interface BulkReport {
  /** The highest resident memory so far, in bytes. */
  peak: number;
  /** How many files and pipes are open. */
  open: number;
  /** The codes of the errors with which transfers have failed, and `null` for those that have succeeded. */
  ends: (string | null)[];
  /** How many errors the app's error handlers have got. */
  errors: number;
}

interface Transfer {
  /** The files and pipes of the transfer. */
  streams: (Readable | Writable)[];
  done: Promise<unknown>;
}

const { FILE = '', COPY = '' } = process.env;
const streams: (Readable | Writable)[] = [];
const ends: BulkReport['ends'] = [];
let errors = 0;
const app = express();

function serve(path: string, start: (websocket: Websocket, bytes: number) => Transfer): void {
  app.get(
    path,
    requireWebsocket(async (req) => {
      const transfer = start(req.websocket, Number(req.query['bytes']));
      streams.push(...transfer.streams);
      try {
        await transfer.done;
        ends.push(null);
      } catch (error) {
        ends.push((error as NodeJS.ErrnoException).code ?? String(error));
        throw error;
      }
    }),
  );
}

serve('/download', (websocket, bytes) => {
  const file = createReadStream(FILE, { end: bytes - 1 });
  return { streams: [file], done: pipeline(file, websocket.stream()) };
});
serve('/upload', (websocket) => {
  const file = createWriteStream(COPY);
  return { streams: [file], done: pipeline(websocket.stream(), file) };
});
serve('/web/download', (websocket, bytes) => {
  const file = createReadStream(FILE, { end: bytes - 1 });
  return { streams: [file], done: Readable.toWeb(file).pipeTo(websocket.writable as WritableStream) };
});
serve('/web/upload', (websocket) => {
  const file = createWriteStream(COPY);
  const done = (websocket.readable as ReadableStream).pipeTo(Writable.toWeb(file));
  return { streams: [file], done };
});
serve('/program', (websocket) => {
  const { stdin, stdout } = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] });
  const stream = websocket.stream();
  const program = Duplex.from({ writable: stdin, readable: stdout });
  const done = pipeline(stream, program, stream).catch((error: unknown) => {
    // The client closes first, and `cat` ends a little later. Node calls this premature, with a TCP socket, too.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
  return { streams: [stdin, stdout], done };
});
serve('/generator', (websocket, bytes) => {
  const source = Readable.from(generate(bytes));
  return { streams: [source], done: pipeline(source, websocket.stream()) };
});
app.use(((_error, _req, res, _next) => {
  errors++;
  res.sendStatus(500);
}) satisfies express.ErrorRequestHandler);

function* generate(bytes: number): Generator<Buffer> {
  for (let sent = 0; sent < bytes; sent += 65_536) yield Buffer.alloc(Math.min(65_536, bytes - sent), 'x');
}

process.on('message', () => {
  const report: BulkReport = {
    peak: process.resourceUsage().maxRSS * 1_024,
    open: streams.filter(({ closed }) => !closed).length,
    ends,
    errors,
  };
  process.send!(report);
});
await tellPort(createServer(app));
