import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import express from 'express';
import { Registry } from 'prom-client';
import { requireWebsocket } from 'dwebsocket';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { request, requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';
import { countWebsockets } from './metrics.js';

test('what the websockets of a process do can be read at /metrics', async () => {
  const registry = new Registry();
  countWebsockets(registry);
  const app = express();
  app.set('env', 'test');
  app.get('/metrics', async (_req, res) => {
    res.type(registry.contentType).send(await registry.metrics());
  });
  app.get(
    '/chat',
    requireWebsocket(async (req) => {
      for await (const message of req.websocket) {
        if (message === 'fail') throw new Error('asked for');
        req.websocket.send(`${String(message)}!`);
      }
    }),
  );
  const site = await serve(app);
  const readMetrics = async () => (await request(site, '/metrics')).body.split('\n');

  const [first, second] = [await connect(site, '/chat'), await connect(site, '/chat')];
  first.send('one', 'two');
  await first.take(2);
  await requestUpgrade(site, '/chat', { origin: 'https://evil.test' });
  expect(await readMetrics()).toEqual(
    expect.arrayContaining([
      'websockets_open 2',
      'websocket_handshakes_refused_total{status="403"} 1',
      'websocket_messages_total{direction="in"} 2',
      'websocket_messages_total{direction="out"} 2',
      'websocket_bytes_total{direction="in"} 6',
      'websocket_bytes_total{direction="out"} 8',
      'websocket_handler_errors_total 0',
    ]),
  );

  const closes = new Inbox<unknown>();
  const listener = (message: unknown) => {
    closes.push(message);
  };
  subscribe('dwebsocket.close', listener);
  onTestFinished(() => {
    unsubscribe('dwebsocket.close', listener);
  });
  const third = await connect(site, '/chat');
  await third.close(4_321);
  await closes.next();
  await first.close(1000);
  second.send('fail');
  await closes.next();
  await closes.next();
  const lines = await readMetrics();
  expect(lines).toEqual(
    expect.arrayContaining([
      'websockets_open 0',
      'websocket_handler_errors_total 1',
      'websocket_duration_seconds_count{code="1000"} 1',
      'websocket_duration_seconds_count{code="1011"} 1',
      'websocket_duration_seconds_count{code="other"} 1',
    ]),
  );
});
