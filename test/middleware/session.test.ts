import type { Request } from 'express';
import session, { type SessionOptions } from 'express-session';
import { requireWebsocket, type Websocket } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { changeSession, storeSession } from '../recipes/session-changes.js';
import { connect } from '../support/client.js';
import { defer } from '../support/inbox.js';
import { request } from '../support/request.js';
import { serve } from '../support/serve.js';
import { EXPRESSES } from './expresses.js';
import { cookiesOf, sessionIdOf, WatchedStore } from './watched-store.js';

declare module 'express-session' {
  interface SessionData {
    visits: number;
    words: string[];
  }
}

describe.each(EXPRESSES)('express-session on %s', (_name, express) => {
  function build(options: Partial<SessionOptions> = {}) {
    const store = new WatchedStore();
    const app = express();
    app.use(session({ secret: 'quiet', resave: false, saveUninitialized: false, store, ...options }));
    app.get('/visits', (req, res) => {
      req.session.visits = (req.session.visits ?? 0) + 1;
      res.send(String(req.session.visits));
    });
    app.get('/words', (req, res) => void res.json(req.session.words ?? []));
    return { app, store };
  }

  test('a new session comes with its cookie on the 101, and is saved when the websocket ends', async () => {
    const { app, store } = build({ saveUninitialized: true });
    app.get(
      '/',
      requireWebsocket(async (req) => {
        req.session.words = [];
        for await (const word of req.websocket) req.session.words.push(String(word));
      }),
    );
    const site = await serve(app);
    const client = await connect(site);
    const cookie = cookiesOf(client.headers);
    client.send('one', 'two');
    await client.flush();
    expect(store.saves.rest()).toEqual([]);
    await client.close();

    const { id, data } = await store.saves.next('save');
    expect(id).toBe(sessionIdOf(cookie));
    expect(data.words).toEqual(['one', 'two']);
    expect((await request(site, '/words', { headers: { cookie } })).body).toBe('["one","two"]');
  });

  test('a middleware that changes a session before the handshake has its cookie on the 101', async () => {
    const { app } = build();
    app.use((req, _res, next) => {
      req.session.visits = 41;
      next();
    });
    app.get(
      '/',
      requireWebsocket((req) => req.websocket.wait()),
    );
    const site = await serve(app);
    const client = await connect(site);
    expect(cookiesOf(client.headers)).toMatch(/^connect\.sid=/);
  });

  test('a session that nobody has touched sets no cookie and is not stored', async () => {
    const { app, store } = build();
    const finished = defer();
    app.get(
      '/',
      (_req, res, next) => {
        res.on('finish', finished.resolve);
        next();
      },
      requireWebsocket(() => {}),
    );
    const client = await connect(await serve(app));
    await client.closed();
    await finished.promise;
    expect(client.headers['set-cookie']).toBeUndefined();
    expect(store.saves.rest()).toEqual([]);
  });

  test('a handler reads the session of a visitor who came over HTTP, and what it changes is saved', async () => {
    const { app, store } = build();
    app.get(
      '/',
      requireWebsocket(async (req) => {
        req.websocket.send(String(req.session.visits));
        req.session.visits = 10;
        await req.websocket.wait();
      }),
    );
    const site = await serve(app);
    const cookie = cookiesOf((await request(site, '/visits')).headers);
    expect((await store.saves.next('save')).data.visits).toBe(1);

    const client = await connect(site, '/', { headers: { cookie } });
    expect(await client.next()).toBe('1');
    // A session is saved when a response ends, so others see the change when the websocket has ended.
    expect((await store.find(sessionIdOf(cookie)))?.visits).toBe(1);
    await client.close();
    expect((await store.saves.next('save')).data.visits).toBe(10);
    expect((await request(site, '/visits', { headers: { cookie } })).body).toBe('11');
  });

  test('session.save() in the handler shows a change to others while the websocket is open', async () => {
    const { app } = build();
    app.get(
      '/',
      requireWebsocket(async (req) => {
        await req.websocket.wait();
        req.session.visits = 100;
        req.session.save(() => void req.websocket.send('saved'));
        await req.websocket.wait();
      }),
    );
    const site = await serve(app);
    const cookie = cookiesOf((await request(site, '/visits')).headers);
    const client = await connect(site, '/', { headers: { cookie } });
    client.send('go');
    expect(await client.next()).toBe('saved');
    expect((await request(site, '/visits', { headers: { cookie } })).body).toBe('101');
  });

  describe('while a websocket is open for long', () => {
    /** A visitor whose websocket runs a handler, and whose other requests count visits. */
    async function visit(handler: (req: Request & { websocket: Websocket }) => Promise<unknown>) {
      const { app, store } = build();
      app.get('/', requireWebsocket(handler));
      const site = await serve(app);
      const cookie = cookiesOf((await request(site, '/visits')).headers);
      await store.saves.next('save');
      const client = await connect(site, '/', { headers: { cookie } });
      const read = async () => store.find(sessionIdOf(cookie));
      const visitAgain = () => request(site, '/visits', { headers: { cookie } });
      return { client, read, visitAgain, store };
    }

    test('a change that is saved at its end overwrites what others have saved meanwhile', async () => {
      const { client, read, visitAgain, store } = await visit(async (req) => {
        req.session.words = [];
        await req.websocket.closed;
      });
      await visitAgain();
      expect((await read())?.visits).toBe(2);
      await store.saves.next('save');
      await client.close();
      await store.saves.next('save');
      expect(await read()).toMatchObject({ visits: 1, words: [] });
    });

    test('changeSession keeps what others have saved, before it and after', async () => {
      const ended = defer();
      const { client, read, visitAgain } = await visit(async (req) => {
        req.res!.once('close', ended.resolve);
        for await (const word of req.websocket) {
          await changeSession(req, (session) => {
            session.words = [...(session.words ?? []), String(word)];
          });
          req.websocket.send('saved');
        }
      });
      await visitAgain();
      for (const word of ['one', 'two']) {
        client.send(word);
        expect(await client.next()).toBe('saved');
      }
      expect(await read()).toMatchObject({ visits: 2, words: ['one', 'two'] });
      await visitAgain();
      await client.close();
      await ended.promise;
      expect(await read()).toMatchObject({ visits: 3, words: ['one', 'two'] });
    });

    test('changeSession rejects for a session that has ended, and does not bring it back', async () => {
      const rejected = defer<unknown>();
      const { client, read, store } = await visit(async (req) => {
        await req.websocket.wait();
        await changeSession(req, () => expect.unreachable()).catch(rejected.resolve);
      });
      for (const id of Object.keys(Reflect.get(store, 'sessions') as object)) store.destroy(id);
      client.send('go');
      expect(await rejected.promise).toMatchObject({ message: 'failed to load session' });
      await client.closed();
      expect(await read()).toBeUndefined();
    });

    test('a session that its handshake begins is the one of other requests, too, with storeSession', async () => {
      const { app } = build();
      app.get(
        '/',
        (req, _res, next) => {
          req.session.visits ??= 10;
          next();
        },
        storeSession,
        requireWebsocket((req) => req.websocket.closed),
      );
      const site = await serve(app);
      const client = await connect(site);
      const cookie = cookiesOf(client.headers);
      const answer = await request(site, '/visits', { headers: { cookie } });
      expect(answer.body).toBe('11');
      expect(answer.headers['set-cookie']).toBeUndefined();
    });
  });

  test('what a handler has changed before it fails is saved', async () => {
    const { app, store } = build({ saveUninitialized: true });
    const failed = defer<unknown>();
    app.get(
      '/',
      requireWebsocket((req) => {
        req.session.visits = 7;
        throw new Error('broken');
      }),
    );
    app.use(((error, _req, _res, next) => {
      failed.resolve(error);
      next(error);
    }) satisfies import('express').ErrorRequestHandler);
    app.set('env', 'test');
    const client = await connect(await serve(app));
    expect((await client.closed()).code).toBe(1011);
    expect(await failed.promise).toMatchObject({ message: 'broken' });
    expect((await store.saves.next('save')).data.visits).toBe(7);
  });

  test('a rolling session renews its cookie on the 101', async () => {
    const { app } = build({ rolling: true, cookie: { maxAge: 60_000 } });
    app.get(
      '/',
      requireWebsocket((req) => req.websocket.wait()),
    );
    const site = await serve(app);
    const cookie = cookiesOf((await request(site, '/visits')).headers);
    const client = await connect(site, '/', { headers: { cookie } });
    expect(cookiesOf(client.headers)).toBe(cookie);
  });

  test('a store that fails to save tells the error handler when the websocket has ended', async () => {
    const { app, store } = build({ saveUninitialized: true });
    const failed = defer<unknown>();
    store.set = (_id, _data, callback) => callback?.(new Error('disk full'));
    app.get(
      '/',
      requireWebsocket(() => {}),
    );
    app.use(((error, _req, res, next) => {
      failed.resolve(error);
      if (res.headersSent) next(error);
      else res.sendStatus(500);
    }) satisfies import('express').ErrorRequestHandler);
    app.set('env', 'test');
    const client = await connect(await serve(app));
    expect((await client.closed()).code).toBe(1000);
    expect(await failed.promise).toMatchObject({ message: 'disk full' });
  });
});
