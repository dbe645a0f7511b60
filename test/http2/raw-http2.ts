import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { Http2Site } from './serve-http2.js';

/** Types of frames (RFC 9113, 6). */
export const Frame = { data: 0, headers: 1, rstStream: 3, settings: 4, goaway: 7 } as const;

export const END_STREAM = 1;
export const END_HEADERS = 4;

/** Frames as bytes: Node's client refuses to send what no honest client sends, so the tests write HPACK themselves. */
export const raw = {
  frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  },
  /** Literal fields without indexing (RFC 7541, 6.2.2). */
  fields(fields: readonly (readonly [string, string])[]): Buffer {
    return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), string(name), string(value)]));
  },
};

function string(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length >= 127) throw new Error('too long for one byte of length');
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

export interface RawHttp2Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** A client that sends any bytes over TLS, and collects the frames of the server. */
export async function openTls(site: Http2Site) {
  const socket: TLSSocket = connect({
    port: site.port,
    host: 'localhost',
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
  });
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  const frames: RawHttp2Frame[] = [];
  let buffered = Buffer.alloc(0);
  let look: () => void = () => undefined;
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 9 && buffered.length >= 9 + buffered.readUIntBE(0, 3)) {
      const end = 9 + buffered.readUIntBE(0, 3);
      frames.push({
        type: buffered[3] as number,
        flags: buffered[4] as number,
        stream: buffered.readUInt32BE(5),
        payload: buffered.subarray(9, end),
      });
      buffered = buffered.subarray(end);
    }
    look();
  });
  socket.on('close', () => {
    look();
  });
  socket.write(
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), raw.frame(Frame.settings, 0, 0)]),
  );
  return {
    socket,
    frames,
    /** Resolves when the condition holds, or the server has ended the connection. */
    until: (condition: () => boolean) =>
      new Promise<void>((resolve) => {
        look = () => {
          if (condition() || socket.destroyed) resolve();
        };
        look();
      }),
  };
}
