import request from 'supertest';
import { afterEach, expect, test } from 'vitest';
import { closeClients, connect } from 'dwebsocket/testing';
import { app } from './app.js';

afterEach(closeClients);

test('a client without a login gets 401', async () => {
  await expect(connect(app, '/rooms/7')).rejects.toMatchObject({ status: 401 });
});

test('a member can send and receive', async () => {
  const agent = request.agent(app);
  await agent.post('/login/Ada').expect(204);
  const client = await connect(app, '/rooms/7', { agent });
  client.send('one');
  client.send('two');
  expect(await client.wait()).toBe('Ada in 7: one');
  expect(await client.wait()).toBe('Ada in 7: two');
});

test('the route closes with its own code', async () => {
  const client = await connect(app, '/rooms/7', { headers: { cookie: 'name=Ada' } });
  client.send('bye');
  expect(await client.closed).toMatchObject({ code: 4000, reason: 'see you' });
});
