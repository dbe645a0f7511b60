import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import request from 'supertest';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { app } from './app.js';

let server: Server;
let client: WebSocket;

const open = (path: string, headers = {}) => {
  const { port } = server.address() as AddressInfo;
  client = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
};

beforeEach(async () => {
  server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  client.terminate();
  server.close();
  await once(server, 'close');
});

test('a client without a login gets 401', async () => {
  open('/rooms/7');
  client.on('error', () => {});
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage];
  expect(response.statusCode).toBe(401);
});

test('a member can send and receive', async () => {
  const login = await request(server).post('/login/Ada').expect(204);
  open('/rooms/7', { cookie: String(login.headers['set-cookie']) });
  const received: string[] = [];
  const both = new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('close', () => reject(new Error('closed before both messages came')));
    client.on('message', (data: Buffer) => {
      received.push(data.toString());
      if (received.length === 2) resolve();
    });
  });
  await once(client, 'open');
  client.send('one');
  client.send('two');
  await both;
  expect(received).toEqual(['Ada in 7: one', 'Ada in 7: two']);
});

test('the route closes with its own code', async () => {
  open('/rooms/7', { cookie: 'name=Ada' });
  await once(client, 'open');
  client.send('bye');
  const [code, reason] = (await once(client, 'close')) as [number, Buffer];
  expect([code, reason.toString()]).toEqual([4000, 'see you']);
});
