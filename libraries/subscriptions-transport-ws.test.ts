import { expect, onTestFinished, test } from 'vitest';
import { SubscriptionClient } from 'subscriptions-transport-ws';
import { connect } from '../test/support/client.js';
import { Inbox } from '../test/support/inbox.js';
import { watchSockets } from './support/client-sockets.js';
import { serveBlock } from './support/serve-library.js';

/** Serves the block, and connects the client of the library. */
async function open() {
  const site = await serveBlock('subscriptions-transport-ws');
  const sockets = watchSockets();
  const client = await new Promise<SubscriptionClient>((resolve) => {
    const connecting: SubscriptionClient = new SubscriptionClient(
      site.url('/subscriptions'),
      { connectionCallback: () => resolve(connecting) },
      sockets.WebSocket,
    );
  });
  onTestFinished(() => client.close());
  return { site, client, sockets, users: site.exports['users'] as Set<unknown> };
}

/** Returns all answers to a request. */
async function ask(client: SubscriptionClient, query: string): Promise<unknown[]> {
  const answers = new Inbox<unknown>();
  await new Promise<void>((resolve, reject) => {
    client.request({ query }).subscribe({
      next: ({ data }) => answers.push(data),
      error: reject,
      complete: resolve,
    });
  });
  return answers.rest();
}

test('answers a query and a subscription', async () => {
  const { site, client } = await open();
  expect(await ask(client, '{ hello }')).toEqual([{ hello: 'Hello!' }]);
  expect(await ask(client, 'subscription { countdown(from: 2) }')).toEqual([
    { countdown: 2 },
    { countdown: 1 },
  ]);
  client.close();
  await site.expectQuiet();
});

test('learns that a client has closed', async () => {
  const { site, client, users } = await open();
  expect(users.size).toBe(1);
  client.close();
  await expect.poll(() => users.size).toBe(0);
  await site.expectQuiet();
});

test('learns that a connection is lost', async () => {
  const { site, sockets, users } = await open();
  expect(users.size).toBe(1);
  sockets.loseConnection();
  await expect.poll(() => users.size).toBe(0);
  await site.expectQuiet();
});

test('closes with 1002 when the client names no subprotocol', async () => {
  const site = await serveBlock('subscriptions-transport-ws');
  const client = await connect(site, '/subscriptions');
  expect(await client.closed()).toMatchObject({ code: 1002 });
  await site.expectQuiet();
});

test('closes with 1001 at shutdown', async () => {
  const { site, sockets, users } = await open();
  await site.shutDown();
  expect(await sockets.closed()).toBe(1001);
  expect(users.size).toBe(0);
  await site.expectQuiet();
});
