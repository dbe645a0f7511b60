import { requireWebsocket } from 'dwebsocket';
import { expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { text } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';
import { eventually } from './eventually.js';
import { open } from './raw.js';

const KiB = 1024;
const MiB = 1024 * KiB;

test('a flood of small messages from many clients is received at the rate, and others do not notice', async () => {
  const FLOODERS = 20;
  const rate = { count: 50, per: 1_000 };
  let handled = 0;
  const flooded = requireWebsocket(
    async ({ websocket }) => {
      for await (const message of websocket) handled += message.length > 0 ? 1 : 0;
    },
    { messageRate: rate },
  );
  const echo = requireWebsocket(async ({ websocket }) => {
    for await (const message of websocket) websocket.send(message);
  });
  const site = await serve((req, res) => (req.url === '/flood' ? flooded(req, res) : echo(req, res)));
  const start = performance.now();
  const block = Buffer.concat(Array.from({ length: 10_000 }, () => text('x')));
  for (let i = 0; i < FLOODERS; i++) {
    const client = await open(site.port, '/flood');
    for (let sent = 0; sent < 8 * MiB; sent += block.length) client.write(block);
  }
  await eventually(() => handled >= FLOODERS * rate.count, 'the first messages of all');

  const honest = await connect(site, '/echo');
  for (let i = 0; i < 200; i++) {
    honest.send(String(i));
    expect(await honest.next()).toBe(String(i));
  }
  const allowed = rate.count + 1 + ((performance.now() - start) / rate.per) * rate.count;
  expect(handled).toBeLessThanOrEqual(FLOODERS * allowed);
  // What is not read stays in the kernels, so the memory of the process is bounded.
  const read = [...site.sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  expect(read).toBeLessThan(FLOODERS * 256 * KiB);
});
