import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import request from 'superwstest';
import { afterEach, beforeEach, test } from 'vitest';
import { app } from './app.js';

let server: Server;

beforeEach(async () => {
  server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  server.close();
  await once(server, 'close');
});

test('a client without a login gets 401', async () => {
  await request(server).ws('/rooms/7').expectConnectionError(401);
});

test('a member can send and receive', async () => {
  const login = await request(server).post('/login/Ada').expect(204);
  const cookie = String(login.headers['set-cookie']);
  await request(server)
    .ws('/rooms/7', { headers: { cookie } })
    .sendText('one')
    .sendText('two')
    .expectText('Ada in 7: one')
    .expectText('Ada in 7: two')
    .close();
});

test('the route closes with its own code', async () => {
  await request(server)
    .ws('/rooms/7', { headers: { cookie: 'name=Ada' } })
    .sendText('bye')
    .expectClosed(4000, 'see you');
});
