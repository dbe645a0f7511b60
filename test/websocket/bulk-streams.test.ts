import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { expect, test } from 'vitest';
import { checksumOf, download, exchange, MiB, openSocket, startBulkServer, upload } from '../support/bulk.js';

// 1 GiB each way, with the memory that it takes: npm run test:long -- test/long/bulk-streams
const BYTES = 32 * MiB;

test('a large file goes through a websocket both ways, and its checksum stays', async () => {
  const server = await startBulkServer(BYTES);
  const { checksum } = server;
  const isDone = () => expect.poll(async () => (await server.report()).open).toBe(0);
  for (const path of ['/download', '/web/download']) {
    expect(await download(server.url(path)), path).toEqual({ bytes: BYTES, checksum, code: 1000 });
  }
  for (const path of ['/upload', '/web/upload']) {
    await upload(server.url(path), createReadStream(server.file));
    await isDone();
    expect(await checksumOf(createReadStream(server.copy)), path).toBe(checksum);
  }
  expect(await exchange(server.url('/program'), createReadStream(server.file), BYTES)).toBe(checksum);
  expect(await download(server.url('/generator'))).toMatchObject({ bytes: BYTES, code: 1000 });
  await isDone();
  expect(await server.report()).toMatchObject({ ends: Array(6).fill(null), errors: 0 });
});

test('a client that leaves in the middle ends the source of a download, and makes an upload reject', async () => {
  const server = await startBulkServer(16 * MiB);
  const downloads = ['/download', '/web/download', '/generator'];
  for (const path of downloads) {
    const socket = await openSocket(server.url(path));
    await once(socket, 'message');
    socket.pause();
    expect((await server.report()).open, path).toBe(1);
    socket.terminate();
    await expect.poll(async () => (await server.report()).open, { message: path }).toBe(0);
  }
  const uploads = ['/upload', '/web/upload', '/program'];
  for (const path of uploads) {
    const socket = await openSocket(server.url(path));
    for await (const chunk of createReadStream(server.file, { end: MiB })) socket.send(chunk as Buffer);
    await expect.poll(async () => (await server.report()).open, { message: path }).toBeGreaterThan(0);
    socket.terminate();
    await expect.poll(async () => (await server.report()).open, { message: path }).toBe(0);
  }
  const ends = [...downloads, ...uploads].map(() => 'ERR_WEBSOCKET_CLOSED');
  await expect.poll(() => server.report()).toMatchObject({ ends, errors: 0 });
});
