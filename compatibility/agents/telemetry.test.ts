import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../test/support/client.js';
import { requestUpgrade } from '../../test/support/request.js';
import type { Site } from '../../test/support/serve.js';
import { writePage } from '../support/page.js';
import type { Program } from '../support/program.js';
import { AGENTS, type Agent } from './support/agents.js';
import type { Sent } from './support/collector.js';
import { hasNode22 } from './support/node.js';
import { readMetrics, type Point } from './support/otlp-metrics.js';
import type { Span } from './support/report.js';
import { watchApp, type Watched } from './support/watch-app.js';

const folder = fileURLToPath(new URL('.page', import.meta.url));
/** The file of the page as it stands there, and with websockets excluded from the instrumentation of HTTP. */
const FILES = { page: 'telemetry.mjs', excluded: 'excluded/telemetry.mjs' };
const EXCLUDE = '{ ignoreIncomingRequestHook: (req) => req.headers.upgrade !== undefined }';

beforeAll(() => {
  writePage('docs/observability.md', folder, ['metrics-and-traces-with-opentelemetry']);
  const code = readFileSync(join(folder, FILES.page), 'utf8');
  mkdirSync(join(folder, 'excluded'), { recursive: true });
  writeFileSync(
    join(folder, FILES.excluded),
    code.replace('new HttpInstrumentation()', `new HttpInstrumentation(${EXCLUDE})`),
  );
});

describe.runIf(hasNode22)('the file of docs/observability.md, with the SDK of OpenTelemetry', () => {
  test('counts open websockets, messages, bytes, and closes by code', async () => {
    const { sent } = await watch(FILES.page, async (app, exported) => {
      const [ada, bob, eve] = await Promise.all(
        ['ada', 'bob', 'eve'].map((name) => connect(app, `/chat/${name}`)),
      );
      const fail = await connect(app, '/fail');
      await expect
        .poll(() => openIn(exported), { timeout: 20_000 })
        .toEqual({ '/chat/:room': 3, '/fail': 1 });
      for (const client of [ada, bob, eve]) expect(await client?.next()).toBe('joined');
      ada?.send('hello', Buffer.from([1, 2, 3]));
      await ada?.take(2);
      await ada?.close(1000);
      await bob?.close(1000);
      await eve?.close(4_321);
      fail.send('now');
      expect((await fail.closed()).code).toBe(1011);
    });
    const points = readMetrics(sent);
    expect(openIn(sent)).toEqual({ '/chat/:room': 0, '/fail': 0 });
    const traffic = (name: string) =>
      only(points, name).map(({ sum, attributes }) => [
        `${attributes['websocket.direction']} ${attributes['http.route']}`,
        sum,
      ]);
    expect(traffic('websocket.server.messages').sort()).toEqual([
      ['received /chat/:room', 2],
      ['received /fail', 1],
      ['sent /chat/:room', 5],
    ]);
    expect(traffic('websocket.server.io').sort()).toEqual([
      ['received /chat/:room', 5 + 3],
      ['received /fail', 3],
      ['sent /chat/:room', 3 * 6 + 5 + 3],
    ]);
    const closes = only(points, 'websocket.server.connection.duration').map(({ count, attributes }) => [
      `${attributes['websocket.close.code']} ${attributes['http.route']}`,
      count,
    ]);
    expect(closes.sort()).toEqual([
      ['1000 /chat/:room', 2],
      ['1011 /fail', 1],
      ['_OTHER /chat/:room', 1],
    ]);
    expect(unitsOf(points)).toMatchObject({
      'websocket.server.active_connections': '{connection}',
      'websocket.server.connection.duration': 's',
      'websocket.server.handshake.duration': 's',
      'websocket.server.messages': '{message}',
      'websocket.server.io': 'By',
    });
  });

  test("adds one span for each handshake, a child of the request's span, with 101 or 403", async () => {
    const { sent, report } = await watch(FILES.page, shakeHands);
    const [accepted, refused, ...others] = handshakesIn(report.spans);
    expect(others).toEqual([]);
    expect([accepted?.status, refused?.status]).toEqual(['101', '403']);
    for (const span of [accepted, refused]) {
      const request = report.spans.find(({ id }) => id === span?.parent);
      expect(request).toMatchObject({ trace: span?.trace, name: 'GET /chat/:room', status: span?.status });
      expect(span).toMatchObject({ name: 'handshake /chat/:room', failed: false });
      expect(span?.duration).toBeLessThanOrEqual(request?.duration ?? NaN);
    }
    const counted = only(readMetrics(sent), 'websocket.server.handshake.duration');
    expect(counted.map(({ attributes, count }) => [attributes, count])).toEqual([
      [{ 'http.route': '/chat/:room', 'http.response.status_code': '101' }, 1],
      [{ 'http.route': '/chat/:room', 'http.response.status_code': '403' }, 1],
    ]);
  });

  test("the handshake takes the place of the request's span if websockets are excluded", async () => {
    const { report } = await watch(FILES.excluded, shakeHands);
    const spans = handshakesIn(report.spans);
    // The report has the URL of a span only if its kind is SERVER. Express itself knows the last part of the route only.
    expect(spans).toMatchObject([
      { name: 'handshake /:room', url: '/chat/lobby', status: '101', trace: TRACE, parent: PARENT },
      { name: 'handshake /:room', url: '/chat/lobby', status: '403', parent: undefined },
    ]);
  });

  test('counts the messages that groups lose', async () => {
    const { sent } = await watch(FILES.page, async ({ port }) => {
      expect((await fetch(`http://127.0.0.1:${port}/lose`, { method: 'POST' })).status).toBe(204);
    });
    const lost = only(readMetrics(sent), 'websocket.group.lost_messages');
    expect(lost.map(({ attributes, sum }) => [attributes['websocket.group.event'], sum])).toEqual([
      ['missed', 2 + 1],
      ['dropped', 3],
    ]);
  });

  test('measures how long messages to a group take from another process', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'telemetry-')), 'groups.sock');
    onTestFinished(() => rmSync(join(path, '..'), { recursive: true }));
    const start = performance.now();
    let there: Watched<void> | undefined;
    const here = await watch(
      FILES.page,
      async (app) => {
        const client = await connect(app, '/chat/lobby');
        expect(await client.next()).toBe('joined');
        there = await watch(
          FILES.page,
          async (other) => {
            for (const message of ['one', 'two', 'three']) {
              const url = `http://127.0.0.1:${other.port}/chat/lobby?message=${message}`;
              const response = await fetch(url, { method: 'POST' });
              expect(await response.json()).toMatchObject({ local: 0, backplane: true });
            }
            expect(await client.take(3)).toEqual(['one', 'two', 'three']);
          },
          path,
        );
        await client.close(1000);
      },
      path,
    );
    const elapsed = (performance.now() - start) / 1_000;
    const [lag, ...others] = only(readMetrics(here.sent), 'websocket.group.lag');
    expect(others).toEqual([]);
    // Not by group, whose names can be any number.
    expect(lag).toMatchObject({ count: 3, unit: 's', attributes: {} });
    expect(lag?.sum).toBeLessThan(elapsed);
    expect(only(readMetrics(there?.sent ?? []), 'websocket.group.lag')).toEqual([]);
  });
});

/** The trace of a client. */
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

/** One handshake that is accepted, with a trace of its client, and one that is refused. */
async function shakeHands(app: Program): Promise<void> {
  const traceparent = `00-${TRACE}-${PARENT}-01`;
  const client = await connect(app, '/chat/lobby?token=secret', { headers: { traceparent } });
  await client.next();
  await client.close(1000);
  const site = { port: app.port, tls: false } as Site;
  expect((await requestUpgrade(site, '/chat/lobby', { origin: 'https://evil.test' })).status).toBe(403);
}

/** Runs the app with a file of the page, lets `use` talk to it, and ends it. */
function watch(
  file: string,
  use: (app: Program, exported: readonly Sent[]) => Promise<void>,
  path = join(tmpdir(), `telemetry-${process.pid}-${performance.now()}.sock`),
): Promise<Watched<void>> {
  const agent: Agent = {
    ...AGENTS.opentelemetry,
    file: `../.page/${file}`,
    env: (collector) => ({
      ...AGENTS.opentelemetry.env(collector),
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_METRIC_EXPORT_INTERVAL: '100',
      OTEL_METRIC_EXPORT_TIMEOUT: '100',
      TELEMETRY: `./.page/${file}`,
      GROUPS: path,
    }),
  };
  return watchApp(
    agent,
    async (app, exported) => {
      await use(app, exported);
      expect(await app.stop('SIGTERM')).toEqual({ code: 0, signal: null });
      // The package warns of the page that it refuses. Whatever else is printed is an error.
      expect(app.lines.slice(1).filter((line) => !/WEBSOCKET_ORIGIN|--trace-warnings/.test(line))).toEqual(
        [],
      );
    },
    {},
    'telemetry-app.mjs',
  );
}

/** The open websockets by route, as the last export says. */
function openIn(sent: readonly Sent[]): Record<string, number> {
  const points = only(readMetrics(sent), 'websocket.server.active_connections');
  return Object.fromEntries(points.map(({ attributes, sum }) => [attributes['http.route'], sum]));
}

function only(points: readonly Point[], name: string): Point[] {
  return points.filter((point) => point.name === name);
}

function unitsOf(points: readonly Point[]): Record<string, string> {
  return Object.fromEntries(points.map(({ name, unit }) => [name, unit]));
}

function handshakesIn(spans: readonly Span[]): Span[] {
  return spans.filter(({ name }) => name.startsWith('handshake'));
}
