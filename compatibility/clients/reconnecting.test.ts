import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { requireWebsocket } from 'dwebsocket';
import express from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { Inbox } from '../../test/support/inbox.js';
import { requirement } from '../../test/support/requirements.js';
import { listen } from '../../test/support/serve.js';
import { startProgram } from '../support/program.js';
import { chromium, firefox } from './support/browsers.js';
import { bun, deno } from './support/installed.js';
import { programs } from './support/run.js';

const client = fileURLToPath(new URL('../node_modules/dwebsocket/dist/client/index.mjs', import.meta.url));

const PAGE = `<!doctype html><script type="module">
  import { connect } from '/client.mjs';
  import { reconnect } from '/reconnecting.mjs';
  const seen = await reconnect(connect, location.origin).catch((error) => [String(error)]);
  await fetch('/seen', { method: 'POST', body: JSON.stringify(seen) });
</script>`;

/** Serves a websocket that is lost at the first visit, closed with 1012 at the second, and with 1000 at the third. */
async function serveVisits() {
  const seen = new Inbox<unknown[]>();
  const app = express();
  app.get('/', (_req, res) => void res.type('html').send(PAGE));
  app.get('/client.mjs', (_req, res) => res.sendFile(client));
  app.get('/reconnecting.mjs', (_req, res) => res.sendFile(join(programs, 'reconnecting.mjs')));
  app.post('/seen', express.text({ type: '*/*' }), (req, res) => {
    seen.push(JSON.parse(String(req.body)) as unknown[]);
    res.end();
  });
  app.get('/refused', (_req, res) => void res.status(403).end());
  app.get(
    '/visits',
    requireWebsocket(async ({ websocket, query, socket }) => {
      const message = await websocket.wait();
      websocket.send(`${String(message)} with token ${String(query.token)}`);
      websocket.send(Buffer.from([1, 2]));
      // The client has received both, because its pong comes after them.
      await websocket.ping();
      if (query.token === '1') socket.destroy();
      else await websocket.close(query.token === '2' ? 1012 : 1000, 'closed');
    }),
  );
  const { port } = await listen(createServer(app));
  return { url: `http://127.0.0.1:${port}`, seen };
}

const visit = (token: number) => [
  ['open', token === 1 ? undefined : token === 2 ? 1006 : 1012],
  `message ${token} with token ${token}`,
  ['Uint8Array', 1, 2],
];

/** @param knowsStatus Whether the runtime says with which status a handshake was refused. */
const conversation = (knowsStatus: boolean): unknown => [
  ...visit(1),
  ['waiting', 1006],
  ['connecting', 1006],
  ...visit(2),
  ['waiting', 1012],
  ['connecting', 1012],
  ...visit(3),
  ['closed', 1000],
  { code: 1000, reason: 'closed', wasClean: true },
  knowsStatus
    ? { refused: 'closed', code: 1006, reason: 'refused with 403', wasClean: false }
    : { refused: 'waiting', code: 1006, reason: '', wasClean: false },
];

/** JSON has no `undefined`. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const hasWebSocket = Number(process.versions.node.split('.')[0]) >= 22;
const RUNTIMES = [
  { name: 'Node', command: [process.execPath], isThere: hasWebSocket, knowsStatus: false },
  { name: 'Bun', command: [bun], isThere: requirement('Bun', bun !== ''), knowsStatus: true },
  {
    name: 'Deno',
    command: [deno, 'run', '-A', '--no-lock'],
    isThere: requirement('Deno', deno !== ''),
    knowsStatus: true,
  },
].filter(({ isThere }) => isThere);

test.for(RUNTIMES)(
  'on $name the client reconnects, and its process ends',
  async ({ command, knowsStatus }) => {
    const { url } = await serveVisits();
    const [file = '', ...args] = command;
    const { stdout } = await promisify(execFile)(file, [...args, 'reconnecting.mjs', url], {
      cwd: programs,
      timeout: 60_000,
    });
    expect(JSON.parse(stdout)).toEqual(asJson(conversation(knowsStatus)));
  },
);

test.for([chromium, firefox].filter(({ name, version }) => requirement(name, version !== '')))(
  'in $name a page without a bundler reconnects',
  async (browser) => {
    const { url, seen } = await serveVisits();
    const profile = mkdtempSync(join(tmpdir(), 'dwebsocket-browser-'));
    const program = await startProgram(browser.open(url, profile), { env: { HOME: profile }, ready: /^/ });
    onTestFinished(async () => {
      await program.kill();
      rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
    });
    expect(await seen.next('what the page has seen', 90_000)).toEqual(asJson(conversation(false)));
  },
);
