import cookieParser from 'cookie-parser';
import { requireWebsocket } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { request } from '../support/request.js';
import { serve } from '../support/serve.js';
import { EXPRESSES } from './expresses.js';
import { cookiesOf } from './watched-store.js';

describe.each(EXPRESSES)('cookie-parser on %s', (_name, express) => {
  test('the handler has the cookies, signed ones too, that the app has set over HTTP', async () => {
    const app = express();
    app.use(cookieParser('secret'));
    app.get('/login', (_req, res) => {
      res.cookie('theme', 'dark mode').cookie('user', 'ada', { signed: true }).end();
    });
    app.get(
      '/',
      requireWebsocket((req) => {
        req.websocket.send(JSON.stringify([req.cookies, req.signedCookies]));
      }),
    );
    const site = await serve(app);
    const cookie = cookiesOf((await request(site, '/login')).headers);

    const client = await connect(site, '/', { headers: { cookie } });
    expect(JSON.parse(String(await client.next()))).toEqual([{ theme: 'dark mode' }, { user: 'ada' }]);
    const forged = await connect(site, '/', { headers: { cookie: cookie.replace('ada', 'eve') } });
    expect(JSON.parse(String(await forged.next()))).toEqual([{ theme: 'dark mode' }, { user: false }]);
  });

  test('cookies that middleware sets before the handshake go out with the 101, each in its own line', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.cookie('a', '1', { httpOnly: true });
      res.cookie('b', '2', { sameSite: 'strict' });
      res.clearCookie('c');
      next();
    });
    app.get(
      '/',
      requireWebsocket(() => {}),
    );
    const { headers } = await connect(await serve(app));
    expect(headers['set-cookie']).toEqual([
      'a=1; Path=/; HttpOnly',
      'b=2; Path=/; SameSite=Strict',
      expect.stringMatching(/^c=; Path=\/; Expires=Thu, 01 Jan 1970/),
    ]);
  });

  test('a cookie set in the handler comes too late, and res.cookie says so', async () => {
    const app = express();
    app.get(
      '/',
      requireWebsocket((req, res) => {
        try {
          res.cookie('late', '1');
        } catch (error) {
          req.websocket.send((error as NodeJS.ErrnoException).code ?? '');
        }
      }),
    );
    const client = await connect(await serve(app));
    expect(await client.next()).toBe('ERR_HTTP_HEADERS_SENT');
  });
});
