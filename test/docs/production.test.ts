import { once } from 'node:events';
import http from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { requireWebsocket } from 'dwebsocket';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { change, hasNginx, recommendedSnippet, startNginx } from '../proxy/nginx.js';
import { connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { request } from '../support/request.js';
import { requirement } from '../support/requirements.js';
import { listen, serve, type Site } from '../support/serve.js';
import { runInBrowser } from './run-block.js';
import { openDocument } from './scenario.js';

const page = openDocument('docs/production.md');

test('a browser comes back after a random time that grows, and not when the end was meant', async () => {
  const app = express();
  let handshakes = 0;
  app.get(
    '/chat',
    (_req, res, next) => {
      if (++handshakes <= 7) res.sendStatus(503);
      else next();
    },
    requireWebsocket(async ({ websocket }) => {
      websocket.send(`handshake ${handshakes}`);
      if (handshakes === 8) await websocket.close(1001);
    }),
  );
  const site = await serve(app);
  const messages = new Inbox<unknown>();
  const waits: number[] = [];
  void runInBrowser(page.find('reconnecting', 'js'), site, {
    console: { log: (message: unknown) => messages.push(message) },
    Math: { min: Math.min, random: () => 0.5 },
    setTimeout: (run: (failures: number) => void, ms: number, failures: number) => {
      waits.push(ms);
      setImmediate(run, failures);
    },
  });
  expect(await messages.next()).toBe('handshake 8');
  expect(await messages.next()).toBe('handshake 9');
  // Who waits longest waits 30 seconds; and what has opened begins again with one.
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 500]);
  await Promise.all([...site.sockets].map((socket) => once(socket, 'close')));
  await request(site, '/');
  expect(waits.length).toBe(8);
});

describe('what the page ends with close() does not come back', () => {
  interface Chat {
    close(): void;
  }
  /** Runs the script of the page; gives what it returns, and the connections that it has yet to try. */
  async function openPage({ port }: Site) {
    const retries = new Set<() => void>();
    const [chats, websockets] = [new Inbox<Chat>(), new Inbox<WebSocket>()];
    class BrowserWebSocket extends WebSocket {
      constructor(url: string) {
        super(url.replace(/:\d+/, `:${port}`));
        // What fails to connect ends no browser.
        this.on('error', () => {});
        onTestFinished(() => this.terminate());
        websockets.push(this);
      }
    }
    const block = page.find('reconnecting', 'js');
    void runInBrowser({ ...block, code: `${block.code}\nexpose(chat)` }, { port } as Site, {
      WebSocket: BrowserWebSocket,
      expose: (chat: Chat) => chats.push(chat),
      setTimeout: (run: () => void) => {
        retries.add(run);
        return run;
      },
      clearTimeout: (run: () => void) => retries.delete(run),
    });
    return { chat: await chats.next('chat'), websocket: await websockets.next('websocket'), retries };
  }

  const closed = (websocket: WebSocket) =>
    new Promise<number>((resolve) => {
      websocket.once('close', resolve);
    });
  const echo = requireWebsocket(({ websocket }) => websocket.closed);

  test('while it is open', async () => {
    const { chat, websocket, retries } = await openPage(await serve(echo));
    await once(websocket, 'open');
    chat.close();
    await closed(websocket);
    expect(retries.size).toBe(0);
  });

  test('while it connects', async () => {
    const { chat, websocket, retries } = await openPage(await serve(echo));
    chat.close();
    await closed(websocket);
    expect(retries.size).toBe(0);
  });

  test('while it waits to connect again', async () => {
    const { chat, websocket, retries } = await openPage(await serve((_req, res) => res.writeHead(503).end()));
    await closed(websocket);
    expect(retries.size).toBe(1);
    chat.close();
    expect(retries.size).toBe(0);
  });

  test('nor does one that is ended without a code', async () => {
    const server = http.createServer();
    new WebSocketServer({ server }).on('connection', (websocket) => {
      websocket.close();
    });
    const { websocket, retries } = await openPage(await listen(server));
    expect(await closed(websocket)).toBe(1005);
    expect(retries.size).toBe(0);
  });
});

/** What stands between the braces behind `location /`. */
const locationOf = (snippet: string) => /location \/ \{([^}]*)\}/.exec(snippet)?.[1];

describe.runIf(requirement('nginx', hasNginx))('behind nginx with TLS', () => {
  test('the snippet is the recommended one but for TLS, and brings wss to the app', async () => {
    const app = express();
    app.get(
      '/',
      requireWebsocket(({ websocket }) => void websocket.send('hello')),
    );
    const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-redirect-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const socketPath = join(folder, 'http.sock');
    const certificates = fileURLToPath(new URL('../support/tls/', import.meta.url));

    let snippet = page.find('behind-nginx', 'nginx', 1).code;
    expect(locationOf(snippet)).toBe(locationOf(recommendedSnippet()));
    snippet = snippet.replaceAll('/etc/ssl/example.org/', certificates);
    snippet = change(snippet, 'listen 80;', `listen unix:${socketPath};`);
    snippet = change(snippet, 'listen 443 ssl;', 'listen 80;');
    const [mapAndUpstream] = recommendedSnippet().split(/^server \{/m);
    const nginx = await startNginx(await serve(app), `${mapAndUpstream}${snippet}`, { tls: true });

    const client = await connect(nginx, '/', { origin: `https://127.0.0.1:${nginx.port}` });
    expect(await client.next()).toBe('hello');

    const headers = { host: 'example.org' };
    const [redirect] = (await once(http.get({ socketPath, path: '/a?b', headers }), 'response')) as [
      http.IncomingMessage,
    ];
    redirect.resume();
    expect(redirect.statusCode).toBe(301);
    expect(redirect.headers.location).toBe('https://example.org/a?b');
  });
});
