import { createServer } from 'node:http';
import type { RequestHandler } from 'express';
import session from 'express-session';
import passport from 'passport';
import { Strategy } from 'passport-local';
import { requireWebsocket, type Server } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { changeSession } from '../recipes/session-changes.js';
import { closeSession, endWithSession } from '../recipes/session-end.js';
import { connect } from '../support/client.js';
import { defer, Inbox } from '../support/inbox.js';
import { request } from '../support/request.js';
import { listen, type Site } from '../support/serve.js';
import { EXPRESSES } from './expresses.js';
import { cookiesOf, sessionIdOf, WatchedStore } from './watched-store.js';

declare module 'express-session' {
  interface SessionData {
    count: number;
    user: string;
  }
}

interface Setup {
  resave: boolean;
  /** How a user logs in and out. */
  auth: 'express-session' | 'passport';
}

describe.each(EXPRESSES)('logout on %s', (_name, express) => {
  async function build({ resave, auth }: Setup) {
    const store = new WatchedStore();
    const app = express();
    const server: Server = createServer(app);
    app.use(session({ secret: 'quiet', resave, saveUninitialized: false, store }));
    if (auth === 'passport') {
      const authenticator = new passport.Passport();
      authenticator.use(new Strategy((name, _password, done) => done(null, { name })));
      authenticator.serializeUser((user, done) => done(null, (user as { name: string }).name));
      authenticator.deserializeUser<string>((name, done) => done(null, { name }));
      app.use(authenticator.session() as RequestHandler);
      app.post(
        '/login',
        express.urlencoded({ extended: false }),
        authenticator.authenticate('local') as RequestHandler,
        (_req, res) => void res.end(),
      );
      app.post('/logout', (req, res, next) => {
        const { sessionID } = req;
        req.logout((error) => {
          if (error) return next(error);
          closeSession(server, sessionID);
          res.end();
        });
      });
    } else {
      app.post('/login', express.urlencoded({ extended: false }), (req, res) => {
        req.session.user = (req.body as { username: string }).username;
        res.end();
      });
      app.post('/logout', (req, res, next) => {
        const { sessionID } = req;
        req.session.destroy((error) => {
          if (error) return next(error);
          closeSession(server, sessionID);
          res.end();
        });
      });
    }
    const mustBeLoggedIn: RequestHandler = (req, res, next) => {
      if (auth === 'passport' ? req.isAuthenticated() : req.session.user !== undefined) next();
      else res.status(401).end();
    };
    const finished = new Inbox<string>();
    const tellWhenFinished: RequestHandler = (req, res, next) => {
      res.on('finish', () => finished.push(req.path));
      next();
    };
    const site = await listen(server);
    return { app, site, store, finished, before: [mustBeLoggedIn, tellWhenFinished] };
  }

  const login = async (site: Site, name = 'ada') => {
    const { headers } = await request(site, '/login', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `username=${name}&password=x`,
    });
    return cookiesOf(headers);
  };
  const logout = (site: Site, cookie: string) =>
    request(site, '/logout', { method: 'POST', headers: { cookie } });

  const SETUPS: Setup[] = [
    { auth: 'express-session', resave: false },
    { auth: 'express-session', resave: true },
    { auth: 'passport', resave: false },
    { auth: 'passport', resave: true },
  ];

  describe.each(SETUPS)('with $auth, resave: $resave', (setup) => {
    test('closes the websockets of the session with 4401, and no others', async () => {
      const { app, site, before } = await build(setup);
      app.get(
        '/chat',
        ...before,
        requireWebsocket(async (req) => {
          await endWithSession(req);
          for await (const message of req.websocket) req.websocket.send(message);
        }),
      );
      const [ada, eve] = [await login(site, 'ada'), await login(site, 'eve')];
      const first = await connect(site, '/chat', { headers: { cookie: ada } });
      const second = await connect(site, '/chat', { headers: { cookie: ada } });
      const other = await connect(site, '/chat', { headers: { cookie: eve } });
      await logout(site, ada);
      expect(await first.closed()).toEqual({ code: 4401, reason: 'logged out' });
      expect(await second.closed()).toEqual({ code: 4401, reason: 'logged out' });
      other.send('still here');
      expect(await other.next()).toBe('still here');
      await expect(connect(site, '/chat', { headers: { cookie: ada } })).rejects.toThrow('401');
    });

    test('the session stays gone, whatever the handler has changed in it', async () => {
      const { app, site, store, finished, before } = await build(setup);
      app.get(
        '/chat',
        ...before,
        requireWebsocket(async (req) => {
          await endWithSession(req);
          req.session.count = 1;
          req.websocket.send('changed');
          await req.websocket.closed;
          req.session.count = 2;
        }),
      );
      const cookie = await login(site);
      const client = await connect(site, '/chat', { headers: { cookie } });
      expect(await client.next()).toBe('changed');
      await logout(site, cookie);
      expect((await client.closed()).code).toBe(4401);
      await finished.next('end of the response');
      expect(await store.find(sessionIdOf(cookie))).toBeUndefined();
    });

    test('it stays gone when the handler still runs after its client has left', async () => {
      const { app, site, store, finished, before } = await build(setup);
      const cleanUp = defer();
      app.get(
        '/chat',
        ...before,
        requireWebsocket(async (req) => {
          await endWithSession(req);
          while ((await req.websocket.wait()) !== null);
          req.session.count = 1;
          await cleanUp.promise;
        }),
      );
      const cookie = await login(site);
      await (await connect(site, '/chat', { headers: { cookie } })).close();
      await logout(site, cookie);
      cleanUp.resolve();
      await finished.next('end of the response');
      expect(await store.find(sessionIdOf(cookie))).toBeUndefined();
    });

    test('it stays gone after changeSession, and is not saved again', async () => {
      const { app, site, store, finished, before } = await build(setup);
      app.get(
        '/chat',
        ...before,
        requireWebsocket(async (req) => {
          await endWithSession(req);
          await changeSession(req, (session) => {
            session.count = 1;
          });
          req.websocket.send('changed');
          await req.websocket.closed;
        }),
      );
      const cookie = await login(site);
      const client = await connect(site, '/chat', { headers: { cookie } });
      expect(await client.next()).toBe('changed');
      expect((await store.find(sessionIdOf(cookie)))?.count).toBe(1);
      await logout(site, cookie);
      expect((await client.closed()).code).toBe(4401);
      await finished.next('end of the response');
      expect(await store.find(sessionIdOf(cookie))).toBeUndefined();
    });

    test('what the handler has changed is saved where nobody has logged out', async () => {
      const { app, site, store, finished, before } = await build(setup);
      app.get(
        '/chat',
        ...before,
        requireWebsocket(async (req) => {
          await endWithSession(req);
          while ((await req.websocket.wait()) !== null) req.session.count = (req.session.count ?? 0) + 1;
        }),
      );
      const cookie = await login(site);
      const client = await connect(site, '/chat', { headers: { cookie } });
      client.send('a', 'b', 'c');
      await client.close();
      await finished.next('end of the response');
      expect((await store.find(sessionIdOf(cookie)))?.count).toBe(3);
    });

    test('a logout during the handshake closes the websocket at once', async () => {
      const { app, site, before } = await build(setup);
      const waiting = new Inbox<() => void>();
      app.get(
        '/chat',
        ...before,
        (_req, _res, next) => waiting.push(next),
        requireWebsocket(async (req) => {
          await endWithSession(req);
          for await (const message of req.websocket) req.websocket.send(message);
        }),
      );
      const cookie = await login(site);
      const connecting = connect(site, '/chat', { headers: { cookie } });
      const goOn = await waiting.next('handshake');
      await logout(site, cookie);
      goOn();
      expect(await (await connecting).closed()).toEqual({ code: 4401, reason: 'logged out' });
    });

    test('a session that ends elsewhere is found to be gone', async () => {
      const { app, site, store, before } = await build(setup);
      app.get(
        '/chat',
        ...before,
        requireWebsocket(async (req) => {
          await endWithSession(req, 10);
          await req.websocket.wait();
        }),
      );
      const cookie = await login(site);
      const client = await connect(site, '/chat', { headers: { cookie } });
      store.destroy(sessionIdOf(cookie));
      expect((await client.closed()).code).toBe(4401);
    });
  });

  test('without the recipe a session comes back: what it is for', async () => {
    const { app, site, store, finished, before } = await build({ auth: 'express-session', resave: true });
    app.get(
      '/chat',
      ...before,
      requireWebsocket((req) => req.websocket.wait()),
    );
    const cookie = await login(site);
    const client = await connect(site, '/chat', { headers: { cookie } });
    await logout(site, cookie);
    expect((await client.closed()).code).toBe(4401);
    await finished.next('end of the response');
    expect((await store.find(sessionIdOf(cookie)))?.user).toBe('ada');
  });
});
