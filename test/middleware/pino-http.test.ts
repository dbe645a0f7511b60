import { requireWebsocket } from 'dwebsocket';
import { pinoHttp } from 'pino-http';
import { describe, expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { request } from '../support/request.js';
import { serve } from '../support/serve.js';
import { EXPRESSES } from './expresses.js';

interface Line {
  level: number;
  msg: string;
  err?: { message: string };
  req: { url: string };
  res: { statusCode: number };
}

const [INFO, ERROR] = [30, 50];

describe.each(EXPRESSES)('pino-http on %s', (_name, express) => {
  type Handler = import('express').ErrorRequestHandler;

  /** The failing route stands in three routers; the error handlers before and behind them. */
  function build(...handlers: Handler[]) {
    const lines = new Inbox<Line>();
    const app = express();
    app.set('env', 'test');
    app.use(
      pinoHttp(
        {
          customLogLevel: (_req, res, error) =>
            (error ?? res.err ?? res.statusCode >= 500) ? 'error' : 'info',
        },
        { write: (line: string) => lines.push(JSON.parse(line) as Line) },
      ),
    );
    let router = express.Router();
    router.get(
      '/talk',
      requireWebsocket(async (req) => {
        if ((await req.websocket.wait()) === 'fail') throw new Error('asked for');
      }),
    );
    for (let depth = 0; depth < 3; depth++) {
      const outer = express.Router();
      outer.use(router);
      router = outer;
    }
    app.use(router);
    for (const handler of handlers) app.use(handler);
    return { app, lines };
  }

  test('logs a websocket once, with 101, when it ends', async () => {
    const { app, lines } = build();
    const site = await serve(app);
    const client = await connect(site, '/talk');
    await client.flush();
    expect(lines.rest()).toEqual([]);
    client.send('bye');
    await client.closed();
    expect(await lines.next()).toMatchObject({
      level: INFO,
      req: { url: '/talk' },
      res: { statusCode: 101 },
    });
    await (await connect(site, '/talk')).vanish();
    expect(await lines.next()).toMatchObject({ res: { statusCode: 101 } });
    await request(site, '/talk');
    expect(await lines.next()).toMatchObject({ res: { statusCode: 400 } });
    expect(lines.rest()).toEqual([]);
  });

  test.for([
    ['nobody handles it', []],
    ['an error handler answers at once', [(_e, _req, res, _next) => void res.status(500).json({})]],
    [
      'an error handler answers later',
      [(_e, _req, res, _next) => void setImmediate(() => res.status(500).send('sorry'))],
    ],
    ['an error handler passes it on', [(error, _req, _res, next) => next(error)]],
  ] as readonly (readonly [string, readonly Handler[]])[])(
    'logs the error of a handler with the 101 when %s',
    async ([, handlers]) => {
      const { app, lines } = build(...handlers);
      const client = await connect(await serve(app), '/talk');
      client.send('fail');
      await client.closed();
      expect(await lines.next()).toMatchObject({
        level: ERROR,
        msg: 'request errored',
        err: { message: 'asked for' },
        res: { statusCode: 101 },
      });
      expect(lines.rest()).toEqual([]);
    },
  );

  test('logs the error that an error handler has put on the response instead', async () => {
    const { app, lines } = build((_error, _req, res, _next) => {
      res.err = new Error('translated');
      res.status(500).json({});
    });
    const client = await connect(await serve(app), '/talk');
    client.send('fail');
    await client.closed();
    expect(await lines.next()).toMatchObject({ err: { message: 'translated' }, res: { statusCode: 101 } });
  });
});
