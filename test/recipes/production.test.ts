import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { acceptWebsocket, attachWebsocket, requireWebsocket, type Server } from 'dwebsocket';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../support/client.js';
import { Inbox, START, within } from '../support/inbox.js';
import { request } from '../support/request.js';
import { CERTIFICATE, listen, type Site } from '../support/serve.js';
import { serveWithTls } from './tls.js';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Starts the app of this folder in a process of its own. */
function spawnApp(args: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', path('./stopping-app.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // A group of its own, as a terminal gives to each command.
    detached: true,
  });
  const exit = once(child, 'exit');
  onTestFinished(async () => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // All processes of the group have ended.
    }
    await exit;
  });
  const lines = new Inbox<string>();
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line);
  });
  return { child, exit, lines };
}

/** Starts the app; it has printed a port for each process that listens. */
async function start(args: string[], count: number) {
  const { child, exit, lines } = spawnApp(args);
  const ports = new Set<number>();
  for (let i = 0; i < count; i++) ports.add(Number(await lines.next('start of the app', START)));
  const [port, ...others] = ports;
  expect(others).toEqual([]);
  return { site: { port, tls: false } as Site, child, exit };
}

/** Creates a folder for a test, and returns a path in it where groups can meet. */
function createMeetingPlace(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-stop-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  return join(folder, 'groups');
}

test(
  'a server that is told to stop says so first, then ends its websockets and itself',
  { timeout: 120_000 },
  async () => {
    // The seconds in which the test does what is to be done before the websockets end.
    const { site, child, exit } = await start(['3000'], 1);
    expect((await request(site, '/readyz')).status).toBe(200);
    const client = await connect(site, '/who');
    await client.next();
    child.kill('SIGTERM');
    let ready = await request(site, '/readyz');
    while (ready.status === 200) ready = await request(site, '/readyz');
    expect(ready).toMatchObject({ status: 503, body: 'leaving' });
    expect((await request(site, '/healthz')).status).toBe(200);
    // Who comes before the balancer has noticed is let in.
    const late = await connect(site, '/who');
    expect((await client.closed()).code).toBe(1001);
    expect((await late.closed()).code).toBe(1001);
    expect(await within(exit, 'end of the process')).toEqual([0, null]);
  },
);

test(
  'pm2 and a terminal stop it with SIGINT, and a second signal changes nothing',
  { timeout: 120_000 },
  async () => {
    const { site, child, exit } = await start(['0'], 1);
    const client = await connect(site, '/who');
    await client.next();
    child.kill('SIGINT');
    child.kill('SIGTERM');
    expect((await client.closed()).code).toBe(1001);
    expect(await within(exit, 'end of the process')).toEqual([0, null]);
  },
);

test.for([
  ['SIGTERM', 'the primary', (pid: number) => pid],
  // Ctrl-C.
  ['SIGINT', 'all of them', (pid: number) => -pid],
] as const)(
  'workers share the websockets of one port, and stop together when %s comes to %s',
  { timeout: 120_000 },
  async ([signal, , targetOf]) => {
    const { site, child, exit } = await start(['workers'], 2);
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect(site, '/who')));
    const pids = await Promise.all(clients.map((client) => client.next()));
    expect(new Set(pids).size).toBe(2);
    process.kill(targetOf(child.pid!), signal);
    for (const client of clients) expect((await client.closed()).code).toBe(1001);
    expect(await within(exit, 'end of the process')).toEqual([0, null]);
  },
);

test(
  'a server that closes its groups ends by itself, although their backplane is connected',
  { timeout: 120_000 },
  async () => {
    const { site, child, exit } = await start(['0', createMeetingPlace()], 1);
    const client = await connect(site, '/others');
    expect(await client.next()).toBe('added');
    child.kill('SIGTERM');
    expect((await client.closed()).code).toBe(1001);
    expect(await within(exit, 'end of the process')).toEqual([0, null]);
  },
);

test('workers that close their groups end by themselves, too', { timeout: 120_000 }, async () => {
  const { site, child, exit } = await start(['workers', createMeetingPlace()], 2);
  const clients = await Promise.all(Array.from({ length: 8 }, () => connect(site, '/others')));
  for (const client of clients) expect(await client.next()).toBe('added');
  const [sender, ...others] = clients;
  sender?.send('hello');
  for (const client of others) expect(await client.next()).toBe('hello');
  child.kill('SIGTERM');
  for (const client of clients) expect((await client.closed()).code).toBe(1001);
  expect(await within(exit, 'end of the processes')).toEqual([0, null]);
});

test(
  'a worker that fails as soon as it starts begins anew after a second, until the app stops',
  { timeout: 120_000 },
  async () => {
    const { child, exit, lines } = spawnApp(['failing']);
    const outputEnd = once(child, 'close');
    const nextTime = async (event: string) => {
      const [name, time] = (await lines.next(event, START)).split(' ');
      expect(name).toBe(event);
      return Number(time);
    };
    await nextTime('fork');
    for (let i = 0; i < 2; i++) {
      const end = await nextTime('exit');
      // A timer counts from the begin of the turn that sets it.
      expect((await nextTime('fork')) - end).toBeGreaterThan(900);
    }
    await nextTime('exit');
    child.kill('SIGTERM');
    expect(await within(exit, 'end of the process')).toEqual([0, null]);
    await within(outputEnd, 'end of the output');
    const last = lines.rest();
    expect(last.slice(last.indexOf('stop') + 1).filter((line) => line.startsWith('fork'))).toEqual([]);
    expect(last).toContain('stop');
  },
);

test('an app on a server with a certificate speaks wss', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-tls-'));
  const listeners = process.listeners('SIGHUP');
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
    for (const listener of process.listeners('SIGHUP')) {
      if (!listeners.includes(listener)) process.removeListener('SIGHUP', listener);
    }
  });
  for (const name of ['certificate.pem', 'key.pem'])
    copyFileSync(path(`../support/tls/${name}`), join(folder, name));
  const app = express();
  app.get(
    '/',
    requireWebsocket(async (req) => {
      for await (const message of req.websocket) req.websocket.send(message);
    }),
  );
  const site = await listen(serveWithTls(app, folder, 0));
  expect(site.tls).toBe(true);
  const client = await connect(site, '/');
  // As after a renewal: who is there stays, who comes gets the new one.
  process.emit('SIGHUP');
  client.send('hello');
  expect(await client.next()).toBe('hello');
  const late = await connect(site, '/');
  late.send('hello');
  expect(await late.next()).toBe('hello');
});

test('an attached server for HTTP/2 speaks WebSocket with clients of HTTP/1.1', async () => {
  const echo = acceptWebsocket(async (req, res) => {
    if (!req.isWebsocket()) return void res.end(`HTTP/${req.httpVersion}`);
    for await (const message of req.websocket) req.websocket.send(message);
  });
  // Node's types want another kind of request; what comes is of the same shape.
  const server = http2.createSecureServer({ ...CERTIFICATE, allowHTTP1: true }, echo as never);
  attachWebsocket(server);
  const site = { ...(await listen(server as unknown as Server)), tls: true };
  const client = await connect(site);
  client.send('hello');
  expect(await client.next()).toBe('hello');
  await client.close();

  const session = http2.connect(`https://127.0.0.1:${site.port}`, { rejectUnauthorized: false });
  onTestFinished(() => {
    session.destroy();
  });
  expect(await text(session.request({ ':path': '/' }))).toBe('HTTP/2.0');
});
