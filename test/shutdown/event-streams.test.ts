import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import express, { type RequestHandler } from 'express';
import session from 'express-session';
import { expect, onTestFinished, test, vi } from 'vitest';
import { connect } from '../support/client.js';
import { Inbox, within } from '../support/inbox.js';
import { serve, type Site } from '../support/serve.js';

/** The deadlines that wait for `pass`, while a test holds them. */
const clock = vi.hoisted(() => ({ held: undefined as { run: () => void; ms: number }[] | undefined }));

// The deadlines of the package pass twenty times faster, or when the test says so.
vi.mock('../../src/shared/real-timers.js', async (importOriginal) => {
  const timers = await importOriginal<typeof import('../../src/shared/real-timers.js')>();
  const setTimeout = (run: () => void, ms: number) => {
    clock.held?.push({ run, ms });
    return timers.setTimeout(clock.held === undefined ? run : () => {}, ms / 20);
  };
  return { ...timers, setTimeout };
});

/** Runs the deadlines of up to `ms` milliseconds that are held. */
function pass(ms: number): void {
  for (const deadline of clock.held ?? []) if (deadline.ms <= ms) deadline.run();
}
const { closeWebsockets, requireWebsocket } = await import('dwebsocket');
const { createGroups, eventStream } = await import('dwebsocket/groups');

const MANY = 'x'.repeat(10_000_000);

/** Serves event streams behind a middleware, and websockets. */
async function open(middleware: RequestHandler, first = 'hello') {
  const app = express();
  const streams = new Inbox<ReturnType<typeof eventStream>>();
  app.get(
    '/websocket',
    requireWebsocket(({ websocket }) => websocket.closed),
  );
  app.get('/', middleware, (req, res) => {
    const stream = eventStream(req, res);
    createGroups().group('all').add(stream);
    void stream.send(first);
    streams.push(stream);
  });
  return { site: await serve(app), streams };
}

const noMiddleware: RequestHandler = (_req, _res, next) => next();

const failingEnd: RequestHandler = (_req, res, next) => {
  res.end = () => {
    throw new Error('a hook failed');
  };
  next();
};

async function listenTo({ port }: Site): Promise<IncomingMessage> {
  const req = get({ port, host: '127.0.0.1', agent: false });
  const [res] = (await within(once(req, 'response'), 'response')) as [IncomingMessage];
  res.on('error', () => {});
  onTestFinished(() => void res.destroy());
  return res;
}

/** Opens a stream whose client does not read. */
async function openUnread() {
  const { site, streams } = await open(noMiddleware, MANY);
  await listenTo(site);
  const stream = await streams.next();
  let isClosed = false;
  void stream.closed.then(() => (isClosed = true));
  return { site, stream, isClosed: () => isClosed };
}

/** Resolves when a response has closed, complete or cut off. */
const closeOf = (res: IncomingMessage) => new Promise((resolve) => res.resume().on('close', resolve));

test.for([undefined, 1_000])(
  'a middleware whose end throws keeps no client, and no later handshake (over: %s)',
  async (over) => {
    const { site } = await open(failingEnd);
    const events = [await listenTo(site), await listenTo(site), await listenTo(site)];
    const ends = events.map((res) => closeOf(res));
    const client = await connect(site, '/websocket');
    await within(closeWebsockets(site.server, { over }), 'end of closeWebsockets');
    expect((await client.closed()).code).toBe(1001);
    await within(Promise.all(ends), 'end of the streams');
    await (await connect(site, '/websocket')).close();
  },
);

test('a middleware whose write throws loses the client, and not the process', async () => {
  const { site, streams } = await open((_req, res, next) => {
    res.write = () => {
      throw new Error('a hook failed');
    };
    next();
  });
  const res = await listenTo(site);
  await within(closeOf(res), 'end of the events');
  await within((await streams.next()).closed, 'end of the stream');
});

test('server.close() closes a server with a middleware whose end throws', async () => {
  const { site } = await open(failingEnd);
  const res = await listenTo(site);
  const closed = once(site.server, 'close');
  site.server.close();
  await within(Promise.all([closed, closeOf(res)]), 'end');
});

test('behind express-session, an event stream is complete', async () => {
  clock.held = [];
  onTestFinished(() => void (clock.held = undefined));
  const { site } = await open(session({ secret: 's', resave: false, saveUninitialized: true }));
  const res = await listenTo(site);
  let text = '';
  res.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await within(Promise.all([closeWebsockets(site.server), once(res, 'end')]), 'end');
  expect(text).toBe('data: hello\n\nevent: close\ndata: {"code":1001,"reason":""}\n\n');
  expect(res.complete).toBe(true);
});

test('a client of events that does not read has the timeout of closeWebsockets, or five seconds', async () => {
  const opened = [await openUnread(), await openUnread(), await openUnread()] as const;
  const [usual, long, short] = opened;
  clock.held = [];
  onTestFinished(() => void (clock.held = undefined));
  // A close that is under way has its own limit, unless the later one is shorter.
  void short.stream.close();
  for (const [{ site }, timeout] of [[usual], [long, 10_000], [short, 2_000]] as const)
    void closeWebsockets(site.server, { timeout });
  for (const [ms, { stream }, left] of [
    [2_000, short, 2],
    [5_000, usual, 1],
    [10_000, long, 0],
  ] as const) {
    pass(ms - 1);
    await new Promise(setImmediate);
    expect(opened.filter((each) => !each.isClosed())).toHaveLength(left + 1);
    pass(ms);
    await within(stream.closed, `end after ${ms} ms`);
  }
});
