import morgan from 'morgan';
import { requireWebsocket } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { request, requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';
import { EXPRESSES } from './expresses.js';

describe.each(EXPRESSES)('morgan on %s', (_name, express) => {
  function build(format = ':method :url :status') {
    const lines = new Inbox<string>();
    const app = express();
    app.use(morgan(format, { stream: { write: (line) => lines.push(line.trimEnd()) } }));
    app.get(
      '/chat/:room',
      requireWebsocket(async (req) => {
        if ((await req.websocket.wait()) === 'fail') throw new Error('asked for');
      }),
    );
    app.set('env', 'test');
    return { app, lines };
  }

  test('logs a websocket with 101 when it ends, whichever side ended it', async () => {
    const { app, lines } = build();
    const site = await serve(app);
    const client = await connect(site, '/chat/a?x=1');
    await client.flush();
    expect(lines.rest()).toEqual([]);
    client.send('bye');
    await client.closed();
    expect(await lines.next('line')).toBe('GET /chat/a?x=1 101');

    await (await connect(site, '/chat/b')).close();
    expect(await lines.next('line')).toBe('GET /chat/b 101');
    await (await connect(site, '/chat/c')).vanish();
    expect(await lines.next('line')).toBe('GET /chat/c 101');
    const failing = await connect(site, '/chat/d');
    failing.send('fail');
    expect((await failing.closed()).code).toBe(1011);
    expect(await lines.next('line')).toBe('GET /chat/d 101');
    expect(lines.rest()).toEqual([]);
  });

  test('logs what an upgrade gets that does not become a websocket', async () => {
    const { app, lines } = build();
    const site = await serve(app);
    await requestUpgrade(site, '/nowhere');
    expect(await lines.next('line')).toBe('GET /nowhere 404');
    await requestUpgrade(site, '/chat/a', { origin: 'https://foreign.test' });
    expect(await lines.next('line')).toBe('GET /chat/a 403');
    await requestUpgrade(site, '/chat/a', { 'sec-websocket-version': '8' });
    expect(await lines.next('line')).toBe('GET /chat/a 426');
    await request(site, '/chat/a');
    expect(await lines.next('line')).toBe('GET /chat/a 400');
  });

  test('its predefined formats have an address, a status and a time', async () => {
    const { app, lines } = build('combined');
    const client = await connect(await serve(app), '/chat/a', { headers: { 'user-agent': 'test/1.0' } });
    await client.close();
    expect(await lines.next('line')).toMatch(
      /^(?:::ffff:)?127\.0\.0\.1 - - \[[^\]]+\] "GET \/chat\/a HTTP\/1\.1" 101 - "-" "test\/1\.0"$/,
    );
  });

  test('the response time is that of the handshake, the total time that of the websocket', async () => {
    const { app, lines } = build(':status :response-time :total-time');
    const client = await connect(await serve(app), '/chat/a');
    await client.flush();
    await client.close();
    const [, response, total] = /^101 ([\d.]+) ([\d.]+)$/.exec(await lines.next('line')) ?? [];
    expect(Number(response)).toBeGreaterThan(0);
    expect(Number(total)).toBeGreaterThan(Number(response));
  });
});
