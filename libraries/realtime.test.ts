import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { attachWebsocket } from 'dwebsocket';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { connect, type Client } from '../test/support/client.js';
import { Inbox, within } from '../test/support/inbox.js';
import { listen } from '../test/support/serve.js';
import { serveBlock } from './support/serve-library.js';

const KEY = 'sk-a-secret';

interface Session {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  readonly events: Inbox<unknown>;
  readonly closed: Promise<unknown[]>;
}

/** Serves the block, and an API behind it that demands the key and greets, as the one of OpenAI does. */
async function open({ key = KEY } = {}) {
  const sessions = new Inbox<Session>();
  const server = createServer();
  attachWebsocket(server, { owns: () => false });
  const api = new WebSocketServer({
    server,
    verifyClient: ({ req }, decide) => {
      decide(req.headers.authorization === `Bearer ${KEY}`, 401);
    },
  });
  api.on('connection', (socket, request) => {
    const events = new Inbox<unknown>();
    socket.on('message', (data: Buffer) => {
      events.push(JSON.parse(data.toString()));
    });
    sessions.push({ socket, request, events, closed: once(socket, 'close') });
    socket.send(JSON.stringify({ type: 'session.created' }));
  });
  const { port } = await listen(server);
  vi.stubEnv('REALTIME_URL', `ws://127.0.0.1:${port}/v1/realtime?model=gpt-realtime`);
  vi.stubEnv('OPENAI_API_KEY', key);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const site = await serveBlock('realtime-apis');
  return { site, server, sessions, visit: () => connect({ port: site.port, tls: false }, '/realtime') };
}

const say = (client: Client, event: object) => {
  client.send(JSON.stringify(event));
};
const hear = async (client: Client): Promise<unknown> => JSON.parse(String(await client.next()));

test('events go both ways as text, in order, and the browser never sees the key', async () => {
  const { site, sessions, visit } = await open();
  const client = await visit();
  // Before the API has answered.
  say(client, { type: 'session.update', session: { voice: 'alloy' } });
  say(client, { type: 'input_audio_buffer.append', audio: 'A'.repeat(500_000) });
  const { socket, request, events, closed } = await sessions.next();
  expect(request.headers.authorization).toBe(`Bearer ${KEY}`);
  expect(await events.next()).toEqual({ type: 'session.update', session: { voice: 'alloy' } });
  expect(await events.next()).toMatchObject({ type: 'input_audio_buffer.append' });
  expect(await hear(client)).toEqual({ type: 'session.created' });
  for (let i = 0; i < 1_000; i++) socket.send(JSON.stringify({ type: 'response.audio.delta', delta: i }));
  for (let i = 0; i < 1_000; i++) expect(await hear(client)).toMatchObject({ delta: i });
  expect(JSON.stringify(client.headers)).not.toContain(KEY);
  await client.close(1000);
  expect((await within(closed, 'close of the API'))[0]).toBe(1000);
  await site.expectQuiet();
});

test('the API learns that a connection was lost', async () => {
  const { site, sessions, visit } = await open();
  const client = await visit();
  const { closed } = await sessions.next();
  await client.vanish();
  expect((await within(closed, 'close of the API'))[0]).toBe(1011);
  await site.expectQuiet();
});

test('the browser learns how the API has closed', async () => {
  const { site, sessions, visit } = await open();
  const client = await visit();
  const { socket } = await sessions.next();
  socket.close(4008, 'session expired');
  expect(await client.closed()).toEqual({ code: 4008, reason: 'session expired' });
  await site.expectQuiet();
});

test('a key that the API refuses closes with 1014', async () => {
  const { site, visit } = await open({ key: 'sk-wrong' });
  const client = await visit();
  expect(await client.closed()).toEqual({ code: 1014, reason: '' });
  await site.expectQuiet();
});

test('an API that cannot be reached closes with 1014', async () => {
  const { site, server, visit } = await open();
  server.close();
  await once(server, 'close');
  const client = await visit();
  expect(await client.closed()).toEqual({ code: 1014, reason: '' });
  await site.expectQuiet();
});

test('browsers see 1001 at shutdown, and the API learns of it', async () => {
  const { site, sessions, visit } = await open();
  const client = await visit();
  const { closed } = await sessions.next();
  await site.shutDown();
  expect((await client.closed()).code).toBe(1001);
  expect((await within(closed, 'close of the API'))[0]).toBe(1001);
  await site.expectQuiet();
});
