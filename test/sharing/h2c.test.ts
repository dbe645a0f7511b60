import { spawnSync, execFile } from 'node:child_process';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import express from 'express';
import { acceptWebsocket } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { requirement } from '../support/requirements.js';
import { serve, type Site } from '../support/serve.js';

const run = promisify(execFile);
const PROBE = fileURLToPath(new URL('./HttpClientProbe.java', import.meta.url));

/** Serves a route for both protocols that answers with the request and the number of new connections. */
async function serveEcho({
  tls,
}: {
  tls: boolean;
}): Promise<{ site: Site; url: string; connections: Set<Socket> }> {
  const app = express();
  app.all(
    '/echo',
    acceptWebsocket(async (req, res) => {
      if (!req.isWebsocket()) {
        const body = await text(req);
        res.type('text').send(`${req.method} ${body.length > 20 ? body.length : body}`);
        return;
      }
      for await (const message of req.websocket) req.websocket.send(message);
    }),
  );
  const site = await serve(app, { tls });
  // Counts different sockets: with upgrades, Node may emit 'connection' again for the same socket.
  const connections = new Set<Socket>();
  site.server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => connections.add(socket));
  return { site, url: `${tls ? 'https' : 'http'}://127.0.0.1:${site.port}/echo`, connections };
}

const hasJava = requirement('Java', spawnSync('java', ['-version']).status === 0);
const hasCurl = requirement('curl', /HTTP2/.test(String(spawnSync('curl', ['--version']).stdout)));

describe.runIf(hasJava)("Java's HttpClient", () => {
  test.for([{ tls: false }, { tls: true }])(
    'gets plain responses on one connection, and then opens a websocket on it, %o',
    { timeout: 120_000 },
    async ({ tls }) => {
      const { url, connections } = await serveEcho({ tls });
      const { stdout } = await run('java', ['-Xshare:auto', '-XX:TieredStopAtLevel=1', PROBE, url]);
      const answers = ['HTTP_1_1 200 GET ', 'HTTP_1_1 200 POST a body', 'HTTP_1_1 200 POST 200000'];
      expect(stdout.trimEnd().split('\n')).toEqual([...answers, ...answers, 'WebSocket from Java']);
      // Java even opens its websocket on the connection that its requests have kept alive.
      expect(connections.size).toBe(1);
    },
  );
});

describe.runIf(hasCurl)('curl --http2', () => {
  test.for([{ tls: false }, { tls: true }])('gets plain responses on one connection, %o', async ({ tls }) => {
    const { url, connections } = await serveEcho({ tls });
    const format = ' HTTP/%{http_version} %{http_code} new connections: %{num_connects}\\n';
    const common = ['--silent', '--insecure', '--http2', '--write-out', format];
    const { stdout } = await run('curl', [
      ...[...common, url, '--next'],
      ...[...common, '--data', 'a body', url, '--next'],
      ...[...common, '--data', 'x'.repeat(100_000), url, '--next'],
      ...[...common, url],
    ]);
    expect(stdout.trimEnd().split('\n')).toEqual([
      'GET  HTTP/1.1 200 new connections: 1',
      'POST a body HTTP/1.1 200 new connections: 0',
      'POST 100000 HTTP/1.1 200 new connections: 0',
      'GET  HTTP/1.1 200 new connections: 0',
    ]);
    expect(connections.size).toBe(1);
  });
});
