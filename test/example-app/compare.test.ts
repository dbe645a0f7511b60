import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { openMeter } from '../../example-app/compare/byte-meter.js';
import { EventStream, now } from '../../example-app/compare/event-stream.js';
import { measure } from '../../example-app/compare/measure.js';
import { writeMarkdown, writeSvg } from '../../example-app/compare/report.js';
import { useApp } from './running-app.js';

// Processes start slowly where many of them run at once.
vi.setConfig({ testTimeout: 60_000 });

const app = useApp();

describe('the stream of events', () => {
  test('all clients that ask for the same rate get the same events', () => {
    const { newest } = new EventStream(50);
    const [event] = new EventStream(50).since(newest - 1);
    expect(event).toMatchObject({ id: newest });
    expect(new EventStream(50).since(newest - 1)[0]).toEqual(event);
  });

  test('reports no event before it happens, and none twice', async () => {
    const controller = new AbortController();
    const ids: number[] = [];
    for await (const event of new EventStream(50).live(controller.signal)) {
      expect(event.at).toBeLessThanOrEqual(now());
      ids.push(event.id);
      if (ids.length === 10) controller.abort();
    }
    expect(ids).toEqual(ids.map((_, index) => ids[0]! + index));
  });

  test('gives what has happened since an event, a hundred at most', () => {
    const stream = new EventStream(50);
    const { newest } = stream;
    expect(stream.since(newest - 3).map(({ id }) => id)).toContain(newest);
    expect(stream.since(-Infinity)).toHaveLength(100);
    expect(stream.since(newest + 1000)).toEqual([]);
  });

  test('ends a wait when its signal comes first', async () => {
    expect(await new EventStream(0.1).next(Infinity, AbortSignal.abort())).toEqual([]);
  });

  test.each([0, -1, NaN, Infinity, 1e9])('takes a rate of %d for 1', (rate) => {
    const { newest } = new EventStream(1);
    expect(new EventStream(rate).since(newest - 1)[0]).toEqual(new EventStream(1).since(newest - 1)[0]);
  });
});

describe('the byte meter', () => {
  test('counts exactly what goes over the socket, request by request', async () => {
    const meter = openMeter('exact');
    const { port } = new URL(app.origin);
    const socket = connect(Number(port), 'localhost');
    let received = 0;
    socket.on('data', (data: Buffer) => (received += data.length));

    const ask = async (path: string) => {
      const text = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      const before = received;
      socket.write(text);
      while (received === before) await once(socket, 'data');
      return [text.length, received - before] as const;
    };
    const [up1, down1] = await ask('/compare/?client=exact&way=polling&rate=1');
    await ask('/echo/?message=uncounted');
    const [up2, down2] = await ask('/compare/?client=exact&way=polling&rate=1');
    expect(meter.read()).toEqual({ polling: { requests: 2, up: up1 + up2, down: down1 + down2 } });
    meter.close();
    socket.destroy();
  });

  test('counts a websocket while it is open', async () => {
    const meter = openMeter('open');
    const websocket = await app.open('/compare/?client=open&way=websocket&rate=50');
    const message = await websocket.next();
    const { websocket: cost } = meter.read();
    expect(cost?.requests).toBe(1);
    expect(cost?.down).toBeGreaterThan(message.length);
    await websocket.close();
    meter.close();
  });

  test('counts no client without a meter', async () => {
    await fetch(`${app.origin}/compare/?client=stranger&way=polling`);
    const meter = openMeter('stranger');
    expect(meter.read()).toEqual({});
    meter.close();
  });

  test('answers a page with the costs, the time, and the newest event', async () => {
    const websocket = await app.open('/compare/meter?client=page&rate=0.1');
    await fetch(`${app.origin}/compare/?client=page&way=polling`);
    const asked = now();
    const oldest = new EventStream(0.1).newest;
    websocket.send('"how much"');
    const answer = JSON.parse(String(await websocket.next())) as {
      now: number;
      newest: number;
      costs: object;
    };
    expect(answer.costs).toMatchObject({ polling: { requests: 1 } });
    expect(answer.now).toBeGreaterThanOrEqual(asked);
    expect(answer.now).toBeLessThanOrEqual(now());
    expect(answer.newest).toBeGreaterThanOrEqual(oldest);
    expect(answer.newest).toBeLessThanOrEqual(new EventStream(0.1).newest);
    await websocket.close();
  });

  test.each(['', '&after=', '&after=x'])(
    'a client that knows no event (%j) gets no earlier ones',
    async (after) => {
      const answer = await fetch(`${app.origin}/compare/?way=polling&rate=0.1${after}`);
      expect(await answer.json()).toEqual([]);
    },
  );
});

test('each way is measured, and asking costs more than being told', async () => {
  const settings = { rate: 20, interval: 100, seconds: 1 };
  let results = await measure(settings);
  // A second can be too short to compare anything, where it is shared with much else.
  while (settings.seconds < 8 && results.some(({ events }) => events <= 5)) {
    settings.seconds *= 2;
    results = await measure(settings);
  }
  expect(results.map(({ way }) => way)).toEqual(['polling', 'long-polling', 'streaming', 'websocket']);
  const [polling, longPolling, streaming, websocket] = results.map((result) => {
    expect(result.events).toBeGreaterThan(5);
    return result;
  });
  expect([streaming!.requests, websocket!.requests]).toEqual([1, 1]);
  expect(polling!.requests).toBeGreaterThan(5);
  expect(longPolling!.bitsPerSecond).toBeGreaterThan(5 * websocket!.bitsPerSecond);
  expect(polling!.bitsPerSecond).toBeGreaterThan(3 * websocket!.bitsPerSecond);

  const markdown = writeMarkdown(results, settings);
  for (const { requests } of results) expect(markdown).toContain(`| ${String(requests)} |`);
  expect(writeSvg(results).match(/<rect class="(polling|long-polling|streaming|websocket)"/g)).toHaveLength(
    4,
  );
});

describe('npm run compare', () => {
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', 'example-app/compare/run.ts', ...args]);

  test('writes the table and the figure', async () => {
    const out = await mkdtemp(join(tmpdir(), 'compare-'));
    const { stdout } = await run('--seconds', '0.5', '--rate', '20', '--interval', '100', '--out', out);
    const markdown = await readFile(join(out, 'compare.md'), 'utf8');
    expect(stdout).toContain(markdown);
    expect(markdown).toMatch(/\| WebSocket +\| +\d+ \| +1 \|/);
    expect(await readFile(join(out, 'compare.svg'), 'utf8')).toMatch(/^<svg [^]*<\/svg>\n$/);
    await rm(out, { recursive: true });
  });

  test('refuses a value that is not a number', async () => {
    await expect(run('--rate', 'often')).rejects.toMatchObject({
      code: 1,
      stderr: '--rate must be a number above 0, not "often"\n',
    });
  });
});
