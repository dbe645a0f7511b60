import express from 'express';
import { expect, test } from 'vitest';
import { withDefaults, WebsocketOptionError, type MaybeWebsocket } from 'dwebsocket';
import { connect } from '../support/client.js';
import { serve } from '../support/serve.js';

test('returns wrappers and a middleware with these options as defaults', async () => {
  const { acceptWebsocket, requireWebsocket, websocketMiddleware } = withDefaults({
    protocols: ['v1'],
    messages: 'text',
  });
  const app = express();
  app.get(
    '/accept',
    acceptWebsocket(async (req) => req.websocket!.send(`accept ${String(await req.websocket!.wait())}`)),
  );
  app.get(
    '/require',
    requireWebsocket(async ({ websocket }) => websocket.send(`require ${String(await websocket.wait())}`)),
  );
  app.use(websocketMiddleware({ acceptAll: true }));
  app.get('/middleware', (async ({ websocket }: MaybeWebsocket) =>
    websocket!.send(`middleware ${String(await websocket!.wait())}`)) as never);
  const site = await serve(app);
  for (const name of ['accept', 'require', 'middleware']) {
    const client = await connect(site, `/${name}`, { protocols: ['v1'] });
    expect(client.ws.protocol).toBe('v1');
    client.send('text');
    expect(await client.next()).toBe(`${name} text`);
    const other = await connect(site, `/${name}`, { protocols: ['v1'] });
    other.send(Buffer.from('bytes'));
    expect((await other.closed()).code).toBe(1003);
  }
});

test('the options of a route override the defaults; undefined keeps the default', async () => {
  const { requireWebsocket } = withDefaults({ protocols: ['v1'], maxPayload: 10 });
  const app = express();
  const handler = async ({ websocket }: { websocket: { wait(): Promise<unknown> } }) => {
    await websocket.wait();
  };
  app.get('/own', requireWebsocket(handler, { protocols: ['v2'] }));
  app.get('/default', requireWebsocket(handler, { protocols: undefined }));
  const site = await serve(app);
  const protocols = ['v1', 'v2'];
  const own = await connect(site, '/own', { protocols });
  expect(own.ws.protocol).toBe('v2');
  expect((await connect(site, '/default', { protocols })).ws.protocol).toBe('v1');
  own.send('longer than ten');
  expect((await own.closed()).code).toBe(1009);
});

test('checks the options at once', () => {
  expect(() => withDefaults({ heartbeat: -1 })).toThrow(RangeError);
  try {
    withDefaults({ acceptAll: true } as never);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(WebsocketOptionError);
  }
});
