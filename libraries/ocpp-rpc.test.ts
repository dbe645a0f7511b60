import { once } from 'node:events';
import express, { Router } from 'express';
import { RPCClient, RPCServer } from 'ocpp-rpc';
import { expect, onTestFinished, test } from 'vitest';
import { passUpgrade } from 'dwebsocket';
import { Inbox } from '../test/support/inbox.js';
import { openLossyLine } from './support/lossy-line.js';
import { serveApp, serveBlock, type LibrarySite } from './support/serve-library.js';

interface Station {
  identity: string;
  call: (method: string, params: unknown) => Promise<unknown>;
}

async function serveOcpp(): Promise<
  LibrarySite & { server: RPCServer; arrivals: Inbox<Station>; ends: Inbox<unknown> }
> {
  const site = await serveBlock('ocpp');
  const server = site.exports.server as RPCServer;
  const [arrivals, ends] = [new Inbox<Station>(), new Inbox<unknown>()];
  const listener = (station: Station & NodeJS.EventEmitter): void => {
    arrivals.push(station);
    station.on('close', (end) => ends.push(end));
  };
  server.on('client', listener);
  onTestFinished(() => void server.off('client', listener));
  return { ...site, server, arrivals, ends };
}

function createClient(endpoint: string, identity: string): RPCClient {
  const options = { endpoint, identity, protocols: ['ocpp1.6'], reconnect: false };
  // The types of the library demand all options.
  const client = new RPCClient(options as ConstructorParameters<typeof RPCClient>[0]);
  onTestFinished(() => void client.close({ force: true }));
  return client;
}

async function connect(endpoint: string): Promise<RPCClient> {
  const client = createClient(endpoint, 'CS 1');
  await client.connect();
  return client;
}

test('a station and the server call each other, and the server learns that the station closes', async () => {
  const { url, arrivals, ends, expectQuiet } = await serveOcpp();
  const client = await connect(url('/ocpp'));
  expect(client.protocol).toBe('ocpp1.6');
  client.handle('Reset', async ({ params }) => ({
    status: (params as { type: string }).type === 'Soft' ? 'Accepted' : 'Rejected',
  }));
  const { currentTime } = (await client.call('Heartbeat', {})) as { currentTime: string };
  expect(Date.parse(currentTime)).toBeGreaterThan(Date.now() - 60_000);
  const station = await arrivals.next('station');
  expect(station.identity).toBe('CS 1');
  expect(await station.call('Reset', { type: 'Soft' })).toEqual({ status: 'Accepted' });
  await client.close({ code: 4000, reason: 'done' });
  expect(await ends.next('close')).toEqual({ code: 4000, reason: 'done' });
  await expectQuiet();
});

test('the server learns that the connection of a station is lost', async () => {
  const { port, ends, expectQuiet } = await serveOcpp();
  const line = await openLossyLine(port);
  const client = await connect(line.url('/ocpp'));
  await client.call('Heartbeat', {});
  line.lose();
  expect(await ends.next('close')).toMatchObject({ code: 1006 });
  await expectQuiet();
});

test('the strict mode of the library refuses a wrong call', async () => {
  const { url, expectQuiet } = await serveOcpp();
  const client = await connect(url('/ocpp'));
  await expect(client.call('Heartbeat', { wrong: true })).rejects.toMatchObject({
    rpcErrorCode: 'PropertyConstraintViolation',
  });
  await client.close();
  await expectQuiet();
});

test('in a mounted router a station has its identity, and auth() of the library refuses', async () => {
  const server = new RPCServer({ protocols: ['ocpp1.6'] });
  server.auth((accept, reject, { identity, endpoint }) => {
    if (identity === 'CS 1' && endpoint === '/api/ocpp') accept();
    else reject(401, 'Unknown station');
  });
  const router = Router();
  router.get('/ocpp/:identity', passUpgrade(server.handleUpgrade));
  const { url, expectQuiet } = await serveApp(express().use('/api', router));
  const client = await connect(url('/api/ocpp'));
  await client.close();
  const stranger = createClient(url('/api/ocpp'), 'CS 2');
  await expect(stranger.connect()).rejects.toMatchObject({ code: 401 });
  await expectQuiet();
});

test('server.close() of the library closes with 1001', async () => {
  const { url, server, expectQuiet } = await serveOcpp();
  const client = await connect(url('/ocpp'));
  const closed = once(client, 'close');
  await server.close({});
  expect((await closed)[0]).toMatchObject({ code: 1001 });
  await expectQuiet();
});
