import { existsSync } from 'node:fs';
import { createGroups, eventStream } from 'dwebsocket/groups';
import express from 'express';
import { chromium } from 'playwright-core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Inbox } from '../support/inbox.js';
import { requirement } from '../support/requirements.js';
import { serve } from '../support/serve.js';

const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
const hasChromium = requirement('Chromium', existsSync(executablePath));

const PAGE = `<script>
  const source = new EventSource('/events');
  source.onmessage = ({ data }) => report(data);
  source.addEventListener('close', () => source.close());
</script>`;

describe.skipIf(!hasChromium)('in Chromium', { timeout: 120_000 }, () => {
  test('an EventSource that loses its connection gets everything once and in order', async () => {
    const groups = createGroups({ history: { length: 100, age: 3_600_000 } });
    onTestFinished(() => groups.close());
    const room = groups.group('a');
    const app = express();
    app.get('/', (_req, res) => void res.type('html').send(PAGE));
    app.get('/events', (req, res) => void room.add(eventStream(req, res)));
    const site = await serve(app);

    const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox'] });
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    const got = new Inbox<string>();
    await page.exposeFunction('report', (data: string) => got.push(data));
    await page.goto(`http://localhost:${site.port}/`);
    await expect.poll(() => room.size).toBe(1);
    void room.send('one\nline');
    expect(await got.next()).toBe('one\nline');

    for (const socket of site.sockets) socket.destroy();
    await expect.poll(() => room.size).toBe(0);
    for (const text of ['two', 'three']) void room.send(text);
    // Chromium reconnects after three seconds.
    expect([await got.next(), await got.next()]).toEqual(['two', 'three']);
    void room.send('four');
    expect(await got.next()).toBe('four');

    await room.close(4000, 'over');
    void room.send('five');
    await expect.poll(() => page.evaluate('source.readyState')).toBe(2);
    expect(got.rest()).toEqual([]);
  });
});
