import { once, type EventEmitter } from 'node:events';
import { randomBytes } from 'node:crypto';
import { Aedes, type Client } from 'aedes';
import express from 'express';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { createWebSocketStream, WebSocket } from 'ws';
import { requireWebsocket } from 'dwebsocket';
import { Inbox } from '../test/support/inbox.js';
import { openLossyLine } from './support/lossy-line.js';
import { runBlock } from './support/page.js';
import { serveApp, serveBlock, type LibrarySite } from './support/serve-library.js';

interface MqttSite extends LibrarySite {
  broker: Aedes;
}

async function serveStream(): Promise<MqttSite> {
  const site = await serveBlock('mqtt-with-aedes');
  return { ...site, broker: site.exports.broker as Aedes };
}

const ofWs = await Aedes.createBroker();

async function serveStreamOfWs(): Promise<MqttSite> {
  const app = express();
  app.get(
    '/mqtt',
    requireWebsocket((req) => ofWs.handle(createWebSocketStream(req.websocket.handOver()), req), {
      protocols: ['mqtt'],
    }),
  );
  return { ...(await serveApp(app)), broker: ofWs };
}

afterAll(async () => {
  const { broker } = await runBlock('mqtt-with-aedes');
  for (const each of [broker as Aedes, ofWs]) await new Promise<void>((resolve) => each.close(resolve));
});

interface Peer {
  client: MqttClient;
  /** The websocket of the client. */
  socket: WebSocket;
}

async function connect(url: string, clientId: string, will?: IClientOptions['will']): Promise<Peer> {
  let socket!: WebSocket;
  const client = mqtt.connect(url, {
    clientId,
    reconnectPeriod: 0,
    ...(will && { will }),
    createWebsocket: (address, protocols) => (socket = new WebSocket(address, protocols)),
  });
  onTestFinished(() => void client.end(true));
  await once(client as unknown as EventEmitter, 'connect');
  return { client, socket };
}

test.each([
  ['websocket.stream()', serveStream],
  ['createWebSocketStream', serveStreamOfWs],
])('clients publish and subscribe over %s, also 200 kB', async (_name, serve) => {
  const { url, broker, expectQuiet } = await serve();
  const { client: anna, socket } = await connect(url('/mqtt'), 'anna');
  const { client: ben } = await connect(url('/mqtt'), 'ben');
  expect(socket.protocol).toBe('mqtt');
  expect(broker.connectedClients).toBe(2);

  const messages = new Inbox<Buffer>();
  anna.on('message', (_topic, payload) => messages.push(payload));
  await anna.subscribeAsync('room', { qos: 1 });
  const large = randomBytes(200_000);
  await ben.publishAsync('room', 'hello', { qos: 1 });
  await ben.publishAsync('room', large, { qos: 1 });
  expect((await messages.next('message')).toString()).toBe('hello');
  expect((await messages.next('large message')).equals(large)).toBe(true);

  await Promise.all([anna.endAsync(), ben.endAsync()]);
  await expect.poll(() => broker.connectedClients).toBe(0);
  await expectQuiet();
});

test.each([
  ['websocket.stream()', serveStream],
  ['createWebSocketStream', serveStreamOfWs],
])('over %s, the broker publishes the will of a client whose connection is lost', async (_name, serve) => {
  const { port, url, broker, expectQuiet } = await serve();
  const line = await openLossyLine(port);
  const { client: anna } = await connect(url('/mqtt'), 'anna');
  const wills = new Inbox<string>();
  anna.on('message', (_topic, payload) => wills.push(payload.toString()));
  await anna.subscribeAsync('wills');
  await connect(line.url('/mqtt'), 'ben', { topic: 'wills', payload: Buffer.from('ben is lost') });
  line.lose();
  expect(await wills.next('will')).toBe('ben is lost');
  await expect.poll(() => broker.connectedClients).toBe(1);
  await anna.endAsync();
  await expectQuiet();
});

test.each([
  ['websocket.stream()', serveStream],
  ['createWebSocketStream', serveStreamOfWs],
])('over %s, a shutdown closes with 1001, and the broker forgets the client', async (_name, serve) => {
  const { url, broker, shutDown, expectQuiet } = await serve();
  const { socket } = await connect(url('/mqtt'), 'anna');
  const closed = once(socket, 'close');
  await shutDown();
  expect((await closed)[0]).toBe(1001);
  await expect.poll(() => broker.connectedClients).toBe(0);
  await expectQuiet();
});

test('a client that the broker ends sees a close with 1000', async () => {
  const { url, broker, expectQuiet } = await serveStream();
  const arrival = once(broker, 'client') as Promise<[Client]>;
  const { socket } = await connect(url('/mqtt'), 'anna');
  const closed = once(socket, 'close');
  (await arrival)[0].close();
  expect((await closed)[0]).toBe(1000);
  await expectQuiet();
});
