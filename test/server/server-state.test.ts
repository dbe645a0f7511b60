import express from 'express';
import { expect, test, vi } from 'vitest';
import * as first from 'dwebsocket';
import { connect } from '../support/client.js';
import { serve } from '../support/serve.js';

/** Loads the package again, like a second installed copy, or like Jest for each test file. */
async function loadAgain(): Promise<typeof first> {
  vi.resetModules();
  return import('dwebsocket');
}

test('two copies of the package in one process share the state of a server', async () => {
  const second = await loadAgain();
  expect(second.requireWebsocket).not.toBe(first.requireWebsocket);
  const app = express();
  for (const [name, copy] of Object.entries({ first, second })) {
    app.get(
      `/${name}`,
      copy.requireWebsocket(async ({ websocket }) => {
        for await (const message of websocket) websocket.send(`${name}: ${String(message)}`);
      }),
    );
  }
  const site = await serve(app);
  for (const name of ['first', 'second', 'first']) {
    const client = await connect(site, `/${name}`);
    client.send('hello');
    expect(await client.next()).toBe(`${name}: hello`);
  }
  expect(site.server.listenerCount('upgrade')).toBe(1);
  expect(first.openWebsockets(site.server)).toBe(second.openWebsockets(site.server));
  expect(first.openWebsockets(site.server).size).toBe(3);
  await second.closeWebsockets(site.server);
  expect(first.openWebsockets(site.server).size).toBe(0);
});

test('a server is attached once, even if the package is loaded several times', async () => {
  const copies = [first, await loadAgain(), await loadAgain()];
  const app = express();
  copies.forEach(({ requireWebsocket }, i) => {
    app.get(
      `/${i}`,
      requireWebsocket(({ websocket }) => void websocket.send(`copy ${i}`)),
    );
  });
  const site = await serve(app);
  for (const i of copies.keys()) expect(await (await connect(site, `/${i}`)).next()).toBe(`copy ${i}`);
  expect(site.server.listenerCount('upgrade')).toBe(1);
});

test('instanceof recognizes errors of the other copy', async () => {
  const second = await loadAgain();
  expect(new second.WebsocketClosedError(1000, '')).toBeInstanceOf(first.WebsocketClosedError);
  expect(() => second.attachWebsocket({} as never)).toThrow(first.WebsocketError);
});
