import { createReadStream } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  checksumOf,
  download,
  exchange,
  MiB,
  startBulkServer,
  upload,
  type BulkServer,
} from '../support/bulk.js';

const BYTES = 1_024 * MiB;
const FIRST = 32 * MiB;

/** What 1 GiB may add to the peak of the first 32 MiB: garbage, which newer versions of Node collect later. */
const ALLOWED = 96 * MiB;

type Transfer = (server: BulkServer, bytes: number) => Promise<void>;

const downloadFrom =
  (path: string, isFile = true): Transfer =>
  async (server, bytes) => {
    const { checksum, ...end } = await download(server.url(path, bytes));
    expect(end).toEqual({ bytes, code: 1000 });
    if (isFile) expect(checksum).toBe(await checksumOf(createReadStream(server.file, { end: bytes - 1 })));
  };

const uploadTo =
  (path: string): Transfer =>
  async (server, bytes) => {
    const source = () => createReadStream(server.file, { end: bytes - 1 });
    await upload(server.url(path), source());
    await expect.poll(async () => (await server.report()).open).toBe(0);
    expect(await checksumOf(createReadStream(server.copy))).toBe(await checksumOf(source()));
  };

const exchangeWith =
  (path: string): Transfer =>
  async (server, bytes) => {
    const source = () => createReadStream(server.file, { end: bytes - 1 });
    expect(await exchange(server.url(path), source(), bytes)).toBe(await checksumOf(source()));
  };

describe('1 GiB goes through a websocket in flat memory', () => {
  test.each([
    ['from a file', downloadFrom('/download')],
    ['from a file, as a Web stream', downloadFrom('/web/download')],
    ['into a file', uploadTo('/upload')],
    ['into a file, as a Web stream', uploadTo('/web/upload')],
    ['through a program and back', exchangeWith('/program')],
    ['from a generator', downloadFrom('/generator', false)],
  ])('%s', async (name, transfer) => {
    const server = await startBulkServer(BYTES);
    await transfer(server, FIRST);
    const { peak: before } = await server.report();
    await transfer(server, BYTES);
    const { peak, ends, errors } = await server.report();
    console.log(
      `${name}: a peak of ${(peak / MiB).toFixed(0)} MiB, ${((peak - before) / MiB).toFixed(0)} more`,
    );
    expect({ ends, errors }).toEqual({ ends: [null, null], errors: 0 });
    expect(peak - before).toBeLessThan(ALLOWED);
  });
});
