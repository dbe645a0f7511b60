import autobahn, { type Session } from 'autobahn';
import type FoxRouter from 'fox-wamp';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { Inbox } from '../test/support/inbox.js';
import { openLossyLine } from './support/lossy-line.js';
import { serveBlock, type LibrarySite } from './support/serve-library.js';

async function serveWamp(): Promise<LibrarySite & { router: FoxRouter }> {
  const site = await serveBlock('wamp-with-fox-wamp');
  return { ...site, router: site.exports.router as FoxRouter };
}

beforeAll(() => {
  // The client warns of each close.
  autobahn.log.warn = () => {};
});

interface Client {
  session: Session;
  /** The id of the session, which autobahn forgets at the close. */
  id: number;
  close: () => void;
  /** The transport's close events, with the code. */
  ends: Inbox<{ code: number }>;
}

async function connect(url: string): Promise<Client> {
  // autobahn uses the WebSocket of the platform, which Node 20 does not have.
  const ends = new Inbox<{ code: number }>();
  vi.stubGlobal(
    'WebSocket',
    class extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols);
        this.addEventListener('close', ({ code }) => {
          ends.push({ code });
        });
      }
    },
  );
  const connection = new autobahn.Connection({ url, realm: 'realm1', max_retries: 0 });
  const sessions = new Inbox<Session>();
  connection.onopen = (session) => {
    sessions.push(session);
  };
  connection.open();
  onTestFinished(() => {
    vi.unstubAllGlobals();
    if (connection.isOpen) connection.close();
  });
  const session = await sessions.next('session');
  return { session, id: session.id, ends, close: () => void connection.close() };
}

test('clients publish, subscribe, and call each other; the router forgets one that closes', async () => {
  const { url, router, expectQuiet } = await serveWamp();
  const [anna, ben] = [await connect(url('/wamp')), await connect(url('/wamp'))];
  const events = new Inbox<unknown>();
  await anna.session.subscribe('room', (args) => {
    events.push(args);
  });
  await ben.session.publish('room', ['hello'], {}, { acknowledge: true });
  expect(await events.next('event')).toEqual(['hello']);
  await anna.session.register('add', ([a = 0, b = 0]) => a + b);
  expect(await ben.session.call('add', [1, 2])).toBe(3);
  expect(router.getSession(anna.id)).toBeDefined();
  anna.close();
  await expect.poll(() => router.getSession(anna.id)).toBeUndefined();
  await expect(ben.session.call('add', [1, 2])).rejects.toMatchObject({
    error: 'wamp.error.no_such_procedure',
  });
  ben.close();
  await expectQuiet();
});

test('the router forgets a client whose connection is lost', async () => {
  const { port, router, expectQuiet } = await serveWamp();
  const line = await openLossyLine(port);
  const { id } = await connect(line.url('/wamp'));
  expect(router.getSession(id)).toBeDefined();
  line.lose();
  await expect.poll(() => router.getSession(id)).toBeUndefined();
  await expectQuiet();
});

test('a shutdown closes with 1001', async () => {
  const { url, router, shutDown, expectQuiet } = await serveWamp();
  const { id, ends } = await connect(url('/wamp'));
  expect(router.getSession(id)).toBeDefined();
  await shutDown();
  expect(await ends.next('close')).toEqual({ code: 1001 });
  expect(router.getSession(id)).toBeUndefined();
  await expectQuiet();
});
