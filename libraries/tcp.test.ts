import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { connect, type Client } from '../test/support/client.js';
import { Inbox } from '../test/support/inbox.js';
import { serveBlock } from './support/serve-library.js';

const GREETING = 'RFB 003.008\n';

/** Serves the block, and a TCP server behind it that greets, as VNC does, and then echoes. */
async function open() {
  const sockets = new Inbox<Socket>();
  const server = createServer((socket) => {
    onTestFinished(() => {
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.write(GREETING);
    socket.pipe(socket);
    sockets.push(socket);
  });
  server.listen(0);
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  vi.stubEnv('VNC_PORT', String((server.address() as AddressInfo).port));
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const site = await serveBlock('tcp-servers-as-with-websockify');
  const visit = () => connect({ port: site.port, tls: false }, '/vnc', { protocols: ['binary'] });
  return { site, server, sockets, visit };
}

async function take(client: Client, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let size = 0; size < bytes;) {
    const chunk = (await client.next()) as Buffer;
    chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks);
}

test('bytes go both ways, and the server may speak first', async () => {
  const { site, visit } = await open();
  const client = await visit();
  expect(client.ws.protocol).toBe('binary');
  expect(String(await take(client, GREETING.length))).toBe(GREETING);
  const bytes = randomBytes(2 ** 20);
  for (let at = 0; at < bytes.length; at += 2 ** 16) client.send(bytes.subarray(at, at + 2 ** 16));
  expect((await take(client, bytes.length)).equals(bytes)).toBe(true);
  await client.close(1000);
  await site.expectQuiet();
});

test('the TCP server learns that a client has closed', async () => {
  const { site, sockets, visit } = await open();
  const client = await visit();
  const socket = await sockets.next();
  await client.close(1000);
  await expect.poll(() => socket.destroyed).toBe(true);
  await site.expectQuiet();
});

test('the TCP server learns that a connection was lost', async () => {
  const { site, sockets, visit } = await open();
  const client = await visit();
  const socket = await sockets.next();
  await client.vanish();
  await expect.poll(() => socket.destroyed).toBe(true);
  await site.expectQuiet();
});

test('the TCP server ends the websocket, after all that it has sent', async () => {
  const { site, sockets, visit } = await open();
  const client = await visit();
  const socket = await sockets.next();
  socket.end('goodbye');
  expect(String(await take(client, GREETING.length + 7))).toBe(`${GREETING}goodbye`);
  expect((await client.closed()).code).toBe(1000);
  await site.expectQuiet();
});

test('a TCP server that cannot be reached closes with 1011, and the error handlers get the error', async () => {
  const { site, server, visit } = await open();
  server.close();
  await once(server, 'close');
  const client = await visit();
  expect((await client.closed()).code).toBe(1011);
  await expect(site.expectQuiet()).rejects.toThrow('expected [ …(1) ] to deeply equal []');
});

test('a client that does not read holds the TCP server', async () => {
  const { site, sockets, visit } = await open();
  const client = await visit();
  const socket = await sockets.next();
  client.ws.pause();
  const bytes = 64 * 2 ** 20;
  for (let i = 0; i < 64; i++) socket.write(Buffer.alloc(bytes / 64));
  await expect.poll(() => socket.bytesWritten - socket.writableLength).toBeGreaterThan(2 ** 16);
  let before = -1;
  // Until nothing more goes out.
  await expect
    .poll(
      () => {
        const isSteady = socket.writableLength === before;
        before = socket.writableLength;
        return isSteady;
      },
      { interval: 200 },
    )
    .toBe(true);
  expect(socket.writableLength).toBeGreaterThan(bytes / 2);
  client.ws.resume();
  await take(client, GREETING.length + bytes);
  await client.close(1000);
  await site.expectQuiet();
});

test('clients see 1001 at shutdown', async () => {
  const { site, sockets, visit } = await open();
  const client = await visit();
  const socket = await sockets.next();
  await site.shutDown();
  expect((await client.closed()).code).toBe(1001);
  await expect.poll(() => socket.destroyed).toBe(true);
  await site.expectQuiet();
});
