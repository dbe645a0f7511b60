import { once } from 'node:events';
import {
  get,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { constants, type Http2ServerResponse } from 'node:http2';
import compression from 'compression';
import { acceptWebsocket, attachWebsocket, closeWebsockets } from 'dwebsocket';
import {
  createGroups,
  eventStream,
  type EventStream,
  type EventStreamOptions,
  type Group,
} from 'dwebsocket/groups';
import express, { type RequestHandler } from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { serveHttp2 } from '../http2/serve-http2.js';
import { connect } from '../support/client.js';
import { defer, Inbox, within } from '../support/inbox.js';
import { connectRaw } from '../support/raw-client.js';
import { serve, type Site } from '../support/serve.js';

interface ServerEvent {
  readonly id?: string;
  readonly type?: string;
  readonly data?: string;
  readonly comment?: string;
}

/** Reads server-sent events as the WHATWG standard says, but keeps comments and ids. */
class EventReader {
  readonly events = new Inbox<ServerEvent>();
  readonly ended: Promise<void>;
  readonly res: IncomingMessage;

  constructor(res: IncomingMessage) {
    this.res = res;
    let text = '';
    res.setEncoding('utf8');
    res.on('data', (chunk: string) => {
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) this.events.push(parse(block));
    });
    res.on('error', () => {});
    this.ended = new Promise((resolve) => res.on('close', () => resolve()));
    onTestFinished(() => void res.destroy());
  }

  next(): Promise<ServerEvent> {
    return this.events.next('event');
  }

  async take(count: number): Promise<ServerEvent[]> {
    const events: ServerEvent[] = [];
    while (events.length < count) events.push(await this.next());
    return events;
  }
}

function parse(block: string): ServerEvent {
  const event: Record<string, string> = {};
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line)!;
    const name = field === '' ? 'comment' : field === 'event' ? 'type' : field;
    event[name] = name === 'data' && 'data' in event ? `${event.data}\n${value}` : value;
  }
  return event;
}

async function read(site: Site, path = '/', headers: IncomingHttpHeaders = {}): Promise<EventReader> {
  const req = get({ port: site.port, path, headers: headers as Record<string, string>, agent: false });
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  return new EventReader(res);
}

const HISTORY = { length: 100, age: 3_600_000 };

/** A server with a group, of which each request is a member. */
async function openRoom(options: EventStreamOptions = {}, history: typeof HISTORY | null = HISTORY) {
  const groups = createGroups({ history: history ?? undefined });
  onTestFinished(() => groups.close());
  const room = groups.group('a');
  const streams = new Inbox<EventStream>();
  const app = express();
  app.use(compression({ threshold: 0 }));
  app.get('/', (req, res) => {
    const stream = eventStream(req, res, options);
    void room.add(stream, history === null ? undefined : { last: 10 });
    streams.push(stream);
  });
  return { room, streams, site: await serve(app) };
}

test('a client gets the messages of a group as events with their ids', async () => {
  const { room, site } = await openRoom();
  void room.send('one');
  const reader = await read(site);
  const [start, one] = await reader.take(2);
  void room.send('two');
  const two = await reader.next();
  const [first, second] = await room.history();
  expect(one).toEqual({ id: first!.id, data: 'one' });
  expect(two).toEqual({ id: second!.id, data: 'two' });
  expect(Object.keys(start!)).toEqual(['id']);
});

test('the response goes through proxies and compression as it is', async () => {
  const { site, room } = await openRoom();
  const reader = await read(site, '/', { 'accept-encoding': 'gzip' });
  expect(reader.res.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  expect(reader.res.headers['content-encoding']).toBeUndefined();
  await reader.next();
  void room.send('at once');
  expect(await reader.next()).toMatchObject({ data: 'at once' });
});

test('a browser that comes back gets exactly what it has missed, by its header', async () => {
  const { room, streams, site } = await openRoom();
  const reader = await read(site);
  const [start] = await reader.take(1);
  void room.send('one');
  const one = await reader.next();
  reader.res.destroy();
  await (
    await streams.next()
  ).closed;
  expect(room.size).toBe(0);
  for (const text of ['two', 'three']) void room.send(text);
  const again = await read(site, '/', { 'last-event-id': one.id });
  expect((await again.take(3)).map(({ data }) => data)).toEqual([undefined, 'two', 'three']);
  // The id of the start is one to come back with, too.
  const early = await read(site, '/?since=nonsense', { 'last-event-id': start!.id });
  expect((await early.take(4)).map(({ data }) => data)).toEqual([undefined, 'one', 'two', 'three']);
});

test('without the header, the option or the URL says what the client has had', async () => {
  const { room, site } = await openRoom();
  for (const text of ['one', 'two', 'three']) void room.send(text);
  const [one, two] = await room.history();
  const byUrl = await read(site, `/?since=${one!.id}`);
  expect((await byUrl.take(3)).map(({ data }) => data)).toEqual([undefined, 'two', 'three']);
  const groups = createGroups({ history: HISTORY });
  onTestFinished(() => groups.close());
  const app: RequestHandler = (req, res) => void room.add(eventStream(req, res, { since: two!.id }));
  const byOption = await read(await serve(express().use(app)), `/?since=${one!.id}`);
  expect((await byOption.take(2)).map(({ data }) => data)).toEqual([undefined, 'three']);
});

test('texts of many lines arrive whole, and bytes as base64', async () => {
  const { room, site } = await openRoom();
  const reader = await read(site);
  await reader.next();
  void room.send('one\ntwo\r\nthree\rfour\n\nid: 5');
  void room.send('');
  void room.send(Buffer.from([0, 1, 255]));
  void room.send('✓ 漢字 🎉');
  expect(await reader.take(4)).toMatchObject([
    { data: 'one\ntwo\nthree\nfour\n\nid: 5' },
    { data: '' },
    { type: 'binary', data: 'AAH/' },
    { data: '✓ 漢字 🎉' },
  ]);
});

test('a group without a history has event streams, too', async () => {
  const { room, site } = await openRoom({}, null);
  const reader = await read(site);
  await expect.poll(() => room.size).toBe(1);
  void room.send('one');
  expect(await reader.next()).toEqual({ data: 'one' });
});

test('an idle connection gets comments', async () => {
  const { site } = await openRoom({ heartbeat: 20 });
  const reader = await read(site);
  await reader.next();
  expect(await reader.take(2)).toEqual([{ comment: '' }, { comment: '' }]);
});

test('a client that does not read is cut off, and takes no more memory than maxBuffered', async () => {
  const { room, streams, site } = await openRoom({ maxBuffered: 100_000 }, null);
  const reader = await read(site);
  reader.res.pause();
  const stream = await streams.next();
  const before = process.memoryUsage().heapUsed;
  for (let sent = 0; !stream.isClosed() && sent < 10_000; sent++) {
    void room.send('x'.repeat(10_000));
    await new Promise(setImmediate);
  }
  expect(stream.isClosed()).toBe(true);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000);
  await within(stream.closed, 'end');
  expect(room.size).toBe(0);
});

test('a flood of tiny events is bounded, too', async () => {
  const { room, streams, site } = await openRoom({ maxBuffered: 100_000 }, null);
  const reader = await read(site);
  reader.res.pause();
  const stream = await streams.next();
  let sent = 0;
  for (; !stream.isClosed() && sent < 10_000; sent++) void room.send('x');
  expect(stream.isClosed()).toBe(true);
  expect(sent).toBeLessThan(2_000);
});

test('a kept history is sent only as fast as the client reads', async () => {
  const { room, streams, site } = await openRoom({ maxBuffered: 1_000_000 });
  for (let number = 0; number < 10; number++) void room.send(`${number} ${'x'.repeat(1_000_000)}`);
  const reader = await read(site);
  const stream = await streams.next();
  await reader.next();
  const events = await reader.take(10);
  expect(events.map(({ data }) => data!.slice(0, 2))).toEqual(Array.from({ length: 10 }, (_, n) => `${n} `));
  expect(stream.isClosed()).toBe(false);
});

test('send resolves when the client has read enough', async () => {
  const { streams, site } = await openRoom({ highWaterMark: 1_000 }, null);
  const reader = await read(site);
  reader.res.pause();
  const stream = await streams.next();
  let isWaiting = false;
  while (!isWaiting) {
    const sent = stream.send('x'.repeat(100_000));
    isWaiting = await Promise.race([
      Promise.resolve(sent).then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 200)),
    ]);
    if (!isWaiting) continue;
    reader.res.resume();
    expect(await sent).toBe(true);
  }
  void stream.close();
  expect(await stream.send('late')).toBe(false);
});

test.for([true, false])(
  'server.close() ends it, also where the app has no websockets: %s',
  async (isAttached) => {
    const { site } = await openRoom();
    if (isAttached) attachWebsocket(site.server);
    const reader = await read(site);
    await reader.next();
    const closed = defer();
    site.server.close(() => closed.resolve());
    await within(closed.promise, 'end of the server');
    expect(await reader.next()).toEqual({ type: 'close', data: '{"code":1001,"reason":""}' });
    await within(reader.ended, 'end of the response');
    expect(Object.hasOwn(site.server, 'close')).toBe(isAttached);
  },
);

test('closeWebsockets and the close of a group end it', async () => {
  const { room, site } = await openRoom();
  const [one, other] = [await read(site), await read(site)];
  await Promise.all([one.next(), other.next()]);
  void room.send('last');
  await room.close(4000, 'over');
  expect(await one.take(2)).toMatchObject([
    { data: 'last' },
    { type: 'close', data: '{"code":4000,"reason":"over"}' },
  ]);
  await Promise.all([one.ended, other.ended]);
  const third = await read(site);
  await third.next();
  await closeWebsockets(site.server);
  await within(third.ended, 'end of the response');
});

test('one route serves websockets and events of the same group', async () => {
  const groups = createGroups();
  onTestFinished(() => groups.close());
  const room = groups.group('a');
  const app = express();
  app.get(
    '/',
    acceptWebsocket(async (req, res) => {
      if (!req.isWebsocket()) {
        void room.add(eventStream(req, res));
        return;
      }
      void room.add(req.websocket);
      for await (const message of req.websocket) void room.send(message);
    }),
  );
  const site = await serve(app);
  const [reader, client] = [await read(site), await connect(site)];
  await expect.poll(() => room.size).toBe(2);
  client.send('hello');
  expect([await reader.next(), await client.next()]).toEqual([{ data: 'hello' }, 'hello']);
});

test('a HEAD request gets the headers and no events', async () => {
  const { streams, site } = await openRoom();
  const req = httpRequest({ port: site.port, method: 'HEAD', agent: false }).end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  res.resume();
  expect(res.headers['content-type']).toMatch('text/event-stream');
  await within((await streams.next()).closed, 'end');
});

test('wrong arguments throw, and say what to do', async () => {
  const errors: unknown[] = [];
  const attempt = (action: () => unknown): void => {
    try {
      action();
    } catch (error) {
      errors.push((error as Error).message);
    }
  };
  const app = express().use((req, res) => {
    attempt(() => eventStream(req, undefined as never));
    attempt(() => eventStream(req, res, { heartbeat: 0 }));
    attempt(() => eventStream(req, res, { maxBufferd: 1 } as never));
    res.write('begun');
    attempt(() => eventStream(req, res));
    res.end();
  });
  await (
    await read(await serve(app))
  ).ended;
  expect(errors).toEqual([
    'eventStream() takes (req, res); got undefined as res',
    'option "heartbeat" must be whole milliseconds from 1 to 2 ** 31 - 1; got the number 0',
    'unknown option "maxBufferd"; did you mean "maxBuffered"?',
    'eventStream() must be called before the response begins; its headers are sent already',
  ]);
});

test.for([
  ['without a history', null, ['other', 'a99']],
  ['with a history, where ids only grow', undefined, ['a99', 'other']],
] as const)(
  'a client that is behind gets only the newest event for each name: %s',
  async ([, history, last]) => {
    const { room, streams, site } = await openRoom({ highWaterMark: 10_000 }, history);
    const reader = await read(site);
    if (history === undefined) await reader.next();
    const stream = await streams.next();
    reader.res.pause();
    for (let count = 0; count < 10; count++) void room.send('x'.repeat(1_000_000));
    for (let number = 0; number < 100; number++) void room.send(`a${number}`, { latest: 'a' });
    void room.send('other');
    reader.res.resume();
    const events = await reader.take(12);
    expect(events.slice(10).map(({ data }) => data)).toEqual(last);
    void stream.send('now', { latest: 'a' });
    expect(await reader.next()).toEqual({ data: 'now' });
  },
);

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

test('of many pipelined requests, only the first is a member', async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error): void => void warnings.push(warning);
  process.on('warning', warn);
  onTestFinished(() => void process.removeListener('warning', warn));
  const { room, streams, site } = await openRoom({}, null);
  const client = await connectRaw(site.port, { request: GET.repeat(50) });
  const all: EventStream[] = [];
  while (all.length < 50) all.push(await streams.next());
  expect(all.map((stream) => stream.isClosed())).toEqual([false, ...Array<boolean>(49).fill(true)]);
  expect(room.size).toBe(1);
  await within(Promise.all(all.slice(1).map(({ closed }) => closed)), 'end of the others');
  client.destroy();
  await within(all[0]!.closed, 'end of the first');
  expect(room.size).toBe(0);
  await within(closeWebsockets(site.server), 'end of the streams');
  expect(warnings).toEqual([]);
});

test('a stream behind an unfinished response is empty, and the next request on the connection has one', async () => {
  const { room, streams, site } = await openRoom({}, null);
  const first = defer<ServerResponse>();
  const [listener] = site.server.listeners('request') as [RequestListener];
  site.server.removeAllListeners('request');
  site.server.on('request', (req, res) => {
    if (req.url === '/slow') first.resolve(res);
    else listener(req, res);
  });
  const slow = GET.replace('/', '/slow');
  const client = await connectRaw(site.port, { request: slow + GET });
  const stream = await streams.next();
  expect([stream.isClosed(), await stream.send('x'), room.size]).toEqual([true, false, 0]);
  (await first.promise).end('slow');
  const response = await client.response();
  await client.until(() => response.body().endsWith('\r\n0\r\n\r\n'), 'the empty response');
  expect(response.body()).toMatch(/^slowHTTP\/1.1 200 OK\r\n.*text\/event-stream.*\r\n\r\n0\r\n\r\n$/s);
  client.write(GET);
  expect((await streams.next()).isClosed()).toBe(false);
  void room.send('hello');
  await client.until(() => response.body().includes('data: hello'), 'the message');
});

/** Serves a route that awaits something before its stream begins. Meanwhile the client leaves. */
function serveLate(room: Group, gone: (req: IncomingMessage, res: ServerResponse) => PromiseLike<unknown>) {
  const requests = new Inbox<IncomingMessage>();
  const streams = new Inbox<{ stream: EventStream; isAdded: boolean }>();
  const listener = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const left = gone(req, res);
    requests.push(req);
    await left;
    const stream = eventStream(req, res);
    streams.push({ stream, isAdded: await room.add(stream) });
  };
  return {
    requests,
    streams,
    listener: (req: IncomingMessage, res: ServerResponse) => void listener(req, res),
  };
}

/** Expects that the stream of a client that has left has ended. */
async function expectNoStream({ streams }: ReturnType<typeof serveLate>, room: Group): Promise<void> {
  const { stream, isAdded } = await streams.next();
  expect([stream.isClosed(), isAdded, room.size]).toEqual([true, false, 0]);
  await within(stream.closed, 'end');
  await within(Promise.resolve(stream.close()), 'end');
  expect(await stream.send('x')).toBe(false);
}

const untilClosed = (_req: IncomingMessage, res: ServerResponse): Promise<unknown> => once(res, 'close');

test.for([
  { when: 'has closed', gone: untilClosed },
  {
    when: 'is about to close',
    gone: async (req: IncomingMessage) => {
      await once(req.socket, 'end');
      req.socket.destroy();
    },
  },
])('a client whose response $when before its stream begins is no member', async ({ gone }) => {
  const groups = createGroups({ history: HISTORY });
  onTestFinished(() => groups.close());
  const room = groups.group('a');
  const late = serveLate(room, gone);
  const site = await serve(late.listener);
  const client = await connectRaw(site.port, { request: GET });
  await late.requests.next();
  client.socket.end();
  await expectNoStream(late, room);
  await within(closeWebsockets(site.server), 'end of the streams');
});

test('a client that leaves before its pipelined stream begins is no member', async () => {
  const groups = createGroups();
  onTestFinished(() => groups.close());
  const room = groups.group('a');
  let isFirst = true;
  const late = serveLate(room, async (req) => {
    const isSlow = isFirst;
    isFirst = false;
    await once(req.socket, 'close');
    // The first response has closed. The other one never had the socket.
    if (isSlow) await new Promise(() => {});
  });
  const site = await serve(late.listener);
  const client = await connectRaw(site.port, { request: GET.repeat(2) });
  await late.requests.next();
  await late.requests.next();
  client.destroy();
  await expectNoStream(late, room);
  await within(closeWebsockets(site.server), 'end of the streams');
});

test.for([
  { when: 'has closed', gone: untilClosed },
  {
    when: 'is about to close',
    gone: async (_req: IncomingMessage, res: ServerResponse) => {
      const { stream } = res as unknown as Http2ServerResponse;
      await once(stream, 'aborted');
    },
  },
])('over HTTP/2, a client whose response $when before its stream begins is no member', async ({ gone }) => {
  const groups = createGroups();
  onTestFinished(() => groups.close());
  const room = groups.group('a');
  const late = serveLate(room, gone);
  const site = await serveHttp2(late.listener);
  const session = await site.session();
  const request = session.request({ ':path': '/' });
  request.on('error', () => {});
  await late.requests.next();
  request.close(constants.NGHTTP2_CANCEL);
  await expectNoStream(late, room);
  await within(closeWebsockets(site.server), 'end of the streams');
});

test('over HTTP/2, isClosed returns a boolean', async () => {
  const groups = createGroups();
  onTestFinished(() => groups.close());
  const room = groups.group('a');
  const streams = new Inbox<EventStream>();
  const site = await serveHttp2((req: IncomingMessage, res: ServerResponse) => {
    const stream = eventStream(req, res);
    void room.add(stream);
    streams.push(stream);
  });
  const request = (await site.session()).request({ ':path': '/' });
  request.on('error', () => {});
  const stream = await streams.next();
  expect([stream.isClosed(), room.size]).toEqual([false, 1]);
  request.close(constants.NGHTTP2_CANCEL);
  await within(stream.closed, 'end');
  expect([stream.isClosed(), room.size]).toEqual([true, 0]);
});
