import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { ServerResponse, type IncomingMessage } from 'node:http';
import express from 'express';
import { describe, expect, onTestFinished, test } from 'vitest';
import { requireWebsocket, websocketMiddleware } from 'dwebsocket';
import { connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { request, requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

interface Published {
  request: IncomingMessage;
  response: ServerResponse;
  socket: unknown;
  server: unknown;
}

/** Records, in order, the messages of Node's channels and the 'request' events. */
function watchNode(app: express.Express) {
  const events = new Inbox<string>();
  const messages: Published[] = [];
  for (const [name, word] of [
    ['http.server.request.start', 'start'],
    ['http.server.response.finish', 'finish'],
  ] as const) {
    const listener = (message: unknown) => {
      const published = message as Published;
      messages.push(published);
      events.push(`${word} ${published.request.url} ${published.response.statusCode}`);
    };
    subscribe(name, listener);
    onTestFinished(() => void unsubscribe(name, listener));
  }
  app.use((req, _res, next) => {
    events.push(`request ${req.url}`);
    next();
  });
  return { events, messages };
}

function build() {
  const app = express();
  app.set('env', 'test');
  const watched = watchNode(app);
  app.get(
    '/talk',
    requireWebsocket(({ websocket }) => websocket.wait()),
  );
  app.get(
    '/fail',
    requireWebsocket(() => Promise.reject(new Error('asked for'))),
  );
  app.get('/plain', (_req, res) => res.send('plain'));
  app.get('/all', websocketMiddleware({ acceptAll: true }), (req, res) => {
    (req as unknown as { websocket: { send(text: string): void } }).websocket.send('hello');
    res.end();
  });
  return { app, ...watched };
}

describe("Node's channels", () => {
  test.for([
    ['/talk', 101],
    ['/fail', 101],
    ['/all', 101],
  ] as const)(
    'report %s as one request, which starts before "request" and finishes with %i',
    async ([path]) => {
      const { app, events, messages } = build();
      const site = await serve(app);
      const client = await connect(site, path);
      expect([await events.next(), await events.next()]).toEqual([`start ${path} 200`, `request ${path}`]);
      if (path === '/talk') {
        await client.flush();
        expect(events.rest()).toEqual([]);
        client.send('bye');
      }
      await client.closed();
      expect(await events.next()).toBe(`finish ${path} 101`);
      for (const message of messages) {
        expect(message.server).toBe(site.server);
        expect(message.socket).toBe(message.request.socket);
        expect(message.response).toBe(messages[0]!.response);
      }
      expect(messages).toHaveLength(2);
    },
  );

  test('report a handshake that the app or this package answers with a status', async () => {
    watchWarnings();
    const { app, events } = build();
    const site = await serve(app);
    await requestUpgrade(site, '/nowhere');
    await requestUpgrade(site, '/talk', { origin: 'https://foreign.test' });
    await request(site, '/plain');
    const seen = [];
    for (let i = 0; i < 9; i++) seen.push(await events.next());
    expect(seen).toEqual([
      'start /nowhere 200',
      'request /nowhere',
      'finish /nowhere 404',
      'start /talk 200',
      'request /talk',
      'finish /talk 403',
      'start /plain 200',
      'request /plain',
      'finish /plain 200',
    ]);
  });
});

describe('code that replaces emit', () => {
  test.for([
    ['of ServerResponse.prototype', ServerResponse.prototype],
    ['of EventEmitter.prototype', EventEmitter.prototype],
  ] as const)("%s receives 'finish' and 'close' of a websocket without listeners", async ([, prototype]) => {
    const events = new Inbox<string>();
    const own = Object.getOwnPropertyDescriptor(prototype, 'emit');

    const { emit } = prototype;
    onTestFinished(() => {
      if (own === undefined) Reflect.deleteProperty(prototype, 'emit');
      else Object.defineProperty(prototype, 'emit', own);
    });
    prototype.emit = function (this: EventEmitter, ...args: Parameters<EventEmitter['emit']>) {
      const [event] = args;
      if (this instanceof ServerResponse && (event === 'finish' || event === 'close')) {
        events.push(`${event} ${String(this.statusCode)} ${String(this.writableFinished)}`);
      }
      return Reflect.apply(emit as (...args: unknown[]) => boolean, this, args);
    };
    const site = await serve(
      requireWebsocket(async ({ websocket }) => {
        await websocket.wait();
        websocket.send('bye');
      }),
    );
    for (let i = 0; i < 2; i++) {
      const client = await connect(site);
      client.send('hello');
      await client.closed();
      expect([await events.next(), await events.next()]).toEqual(['finish 101 true', 'close 101 true']);
    }
    await (await connect(site)).vanish();
    expect([await events.next(), await events.next()]).toEqual(['finish 101 true', 'close 101 true']);
  });
});
