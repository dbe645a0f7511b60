import session from 'express-session';
import passport from 'passport';
import { Strategy } from 'passport-local';
import type { RequestHandler } from 'express';
import { requireWebsocket } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { request, requestUpgrade } from '../support/request.js';
import { serve, type Site } from '../support/serve.js';
import { EXPRESSES } from './expresses.js';
import { cookiesOf } from './watched-store.js';

interface Account {
  name: string;
}

describe.each(EXPRESSES)('passport with a session on %s', (_name, express) => {
  function build() {
    const authenticator = new passport.Passport();
    authenticator.use(
      new Strategy((name, password, done) => {
        done(null, password === 'correct' ? ({ name } satisfies Account) : false);
      }),
    );
    authenticator.serializeUser((user, done) => done(null, (user as Account).name));
    authenticator.deserializeUser<string>((name, done) => done(null, { name } satisfies Account));

    let handled = 0;
    const chat = requireWebsocket(async (req) => {
      handled++;
      for await (const message of req.websocket) {
        req.websocket.send(`${(req.user as Account).name}: ${String(message)}`);
      }
    });
    const mustBeLoggedIn: RequestHandler = (req, res, next) => {
      if (req.isAuthenticated()) next();
      else res.status(401).send('log in first');
    };
    const redirectsToLogin: RequestHandler = (req, res, next) => {
      if (req.isAuthenticated()) next();
      else res.redirect('/login');
    };

    const app = express();
    app.use(session({ secret: 'quiet', resave: false, saveUninitialized: false }));
    app.use(authenticator.session() as RequestHandler);
    app.post(
      '/login',
      express.urlencoded({ extended: false }),
      authenticator.authenticate('local') as RequestHandler,
      (_req, res) => void res.end(),
    );
    app.get('/chat', mustBeLoggedIn, chat);
    app.get('/page', redirectsToLogin, chat);
    return { app, count: () => handled };
  }

  const login = (site: Site, password: string) =>
    request(site, '/login', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `username=ada&password=${password}`,
    });

  test('a logged-in visitor has req.user in the handler', async () => {
    const site = await serve(build().app);
    const cookie = cookiesOf((await login(site, 'correct')).headers);
    const client = await connect(site, '/chat', { headers: { cookie } });
    client.send('hello');
    expect(await client.next()).toBe('ada: hello');
  });

  test('a visitor without a login gets 401 or the redirect, never a 101', async () => {
    const { app, count } = build();
    const site = await serve(app);
    expect(await requestUpgrade(site, '/chat')).toMatchObject({ status: 401, body: 'log in first' });
    const redirected = await requestUpgrade(site, '/page');
    expect(redirected.status).toBe(302);
    expect(redirected.headers.location).toBe('/login');
    const failed = await login(site, 'wrong');
    expect(failed.status).toBe(401);
    expect((await requestUpgrade(site, '/chat', { cookie: cookiesOf(failed.headers) })).status).toBe(401);
    expect((await requestUpgrade(site, '/chat', { cookie: 'connect.sid=s%3Aforged.signature' })).status).toBe(
      401,
    );
    expect(count()).toBe(0);
  });
});
