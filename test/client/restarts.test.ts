import { requireWebsocket } from 'dwebsocket';
import express from 'express';
import { describe, expect, test } from 'vitest';
import { WebSocket as WsWebSocket } from 'ws';
import { findFreePort } from '../support/free-port.js';
import { hasNginx, recommendedSnippet, startNginx } from '../proxy/nginx.js';
import { within } from '../support/inbox.js';
import { startProgram } from '../support/program.js';
import { requirement } from '../support/requirements.js';
import { serve } from '../support/serve.js';
import { openClient, PlatformWebSocket, reach, type Options } from './support/open-client.js';

/** Node 20 has only that of `ws`. */
const CLASSES = [...new Set([WsWebSocket, PlatformWebSocket])].map(
  (each) => [each === WsWebSocket ? 'of ws' : 'of Node', { WebSocket: each as never }] as const,
);

describe.each(CLASSES)('with the WebSocket %s', (_name, options: Options) => {
  test('it comes back to a process that was killed or restarted, each time with a new token', async () => {
    const port = await findFreePort();
    const start = () => startProgram('tokens', { PORT: String(port) });
    let server = await start();
    const tokens = new Set<string>();
    // While there is no server, `fetch` rejects.
    const socket = openClient(async () => {
      const token = await (await fetch(`http://127.0.0.1:${port}/token`)).text();
      tokens.add(token);
      return `ws://127.0.0.1:${port}/echo?token=${token}`;
    }, options);
    socket.send('hello');
    expect(await socket.wait()).toBe(`hello to ${await server.ask<number>('pid')}`);

    for (const [signal, code] of [
      ['SIGKILL', 1006],
      ['SIGTERM', 1001],
    ] as const) {
      // Before the first attempt fails, whose close has the code 1006.
      const lost = new Promise<unknown>((resolve) => {
        socket.addEventListener('state', () => resolve(socket.lastClose), { once: true });
      });
      await server.stop(signal);
      expect(await lost).toMatchObject({ code });
      const sent = socket.send(`after ${signal}`);
      server = await start();
      expect(await sent).toBe(true);
      expect(await socket.wait()).toBe(`after ${signal} to ${await server.ask<number>('pid')}`);
    }
    expect(tokens.size).toBeGreaterThanOrEqual(3);
  });
});

test('a URL with a token that the server takes only once is refused when the client comes back', async () => {
  const server = await startProgram('tokens', { PORT: String(await findFreePort()) });
  const { port } = server.site;
  const token = await (await fetch(`http://127.0.0.1:${port}/token`)).text();
  const socket = openClient(`ws://127.0.0.1:${port}/echo?token=${token}`, {
    WebSocket: WsWebSocket,
  });
  await reach(socket, 'open');
  await server.stop();
  await reach(socket, 'waiting');
  await startProgram('tokens', { PORT: String(port) });
  expect(await within(socket.closed, 'end')).toEqual({
    code: 1006,
    reason: 'refused with 401',
    wasClean: false,
  });
});

describe.runIf(requirement('nginx', hasNginx))('behind nginx', () => {
  async function serveEcho() {
    const app = express();
    app.get(
      '/echo',
      requireWebsocket(async ({ websocket }) => {
        for await (const message of websocket) void websocket.send(message);
      }),
    );
    return serve(app);
  }

  test('it comes back when nginx is restarted', async () => {
    const nginx = await startNginx(await serveEcho(), recommendedSnippet());
    const socket = openClient(`ws://127.0.0.1:${nginx.port}/echo`);
    await reach(socket, 'open');
    const lost = reach(socket, 'waiting');
    await nginx.restart();
    await lost;
    socket.send('back');
    expect(await socket.wait()).toBe('back');
  });

  test('it comes back when a reload ends the workers that have its websocket', async () => {
    const nginx = await startNginx(await serveEcho(), recommendedSnippet(), { hasWorkers: true });
    const socket = openClient(`ws://127.0.0.1:${nginx.port}/echo`);
    await reach(socket, 'open');
    const lost = reach(socket, 'waiting');
    nginx.reload();
    await lost;
    expect(socket.lastClose).toMatchObject({ code: 1006 });
    socket.send('back');
    expect(await socket.wait()).toBe('back');
  });

  test('it waits while nginx has no app behind it', async () => {
    const site = await serveEcho();
    const nginx = await startNginx(site, recommendedSnippet());
    const socket = openClient(`ws://127.0.0.1:${nginx.port}/echo`, { WebSocket: WsWebSocket });
    await reach(socket, 'open');
    site.server.close();
    for (const each of site.sockets) each.destroy();
    await reach(socket, 'waiting');
    await reach(socket, 'connecting');
    await reach(socket, 'waiting');
    expect(socket.lastClose).toMatchObject({ code: 1006, reason: 'refused with 502' });
    site.server.listen(site.port, '127.0.0.1');
    await reach(socket, 'open');
  });
});
