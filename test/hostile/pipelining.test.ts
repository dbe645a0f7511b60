import { acceptWebsocket, openWebsockets } from 'dwebsocket';
import { expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { defer, within } from '../support/inbox.js';
import { handshakeRequest } from '../support/raw-client.js';
import { text } from '../support/raw-frames.js';
import { serve, type Site } from '../support/serve.js';
import { eventually } from './eventually.js';
import { knock } from './raw.js';

/** Answers plain HTTP only when it is told to. */
async function serveSlowly(): Promise<{ site: Site; asked: Promise<void>; answer: () => void }> {
  const asked = defer();
  const answer = defer();
  const site = await serve(
    acceptWebsocket(async (req, res) => {
      if (req.isWebsocket()) {
        for await (const message of req.websocket) req.websocket.send(message);
        return;
      }
      asked.resolve();
      await answer.promise;
      res.end('plain HTTP');
    }),
  );
  return { site, asked: asked.promise, answer: answer.resolve };
}

const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

test.each([
  ['in the same segment as', [get + handshakeRequest()]],
  ['behind', [get, handshakeRequest()]],
])(
  'a handshake %s a request that is not answered yet harms nobody, and spoils no answer',
  async (_how, requests) => {
    const { site, asked, answer } = await serveSlowly();
    const client = await knock(site.port, { request: '' });
    for (const request of requests) {
      client.write(request);
      await asked;
    }
    const honest = await connect(site);
    honest.send('still there');
    expect(await honest.next()).toBe('still there');

    answer();
    const first = await client.response();
    expect(first.status).toBe(200);
    await client.until(() => first.body().includes('plain HTTP'), 'the body of the first answer');
    // Then the websocket may begin, or the connection may end; nothing comes in between.
    expect(first.body()).toMatch(/^(?:a\r\n)?plain HTTP(?:\r\n0\r\n\r\n)?(?:HTTP\/1\.1 \d{3} .*)?$/s);
    client.destroy();
    await honest.close();
    await eventually(() => site.sockets.size === 0, 'all sockets are gone');
  },
);

test('a handshake on a connection that has been used before is an ordinary one, and outlives keepAliveTimeout', async () => {
  const { site, answer } = await serveSlowly();
  site.server.keepAliveTimeout = 1_000;
  answer();
  const client = await knock(site.port, { request: get });
  const first = await client.response();
  await client.until(() => first.body().includes('plain HTTP'), 'the first answer');
  client.write(handshakeRequest());
  await client.until(() => first.body().includes('HTTP/1.1 101 '), 'the 101');
  const [websocket] = openWebsockets(site.server);
  // The time has passed when the server ends a later connection, which is idle behind its answer.
  const idle = await knock(site.port, { request: get });
  await within(idle.ended, 'end');
  expect(websocket!.isClosed()).toBe(false);
  client.write(text('still there'));
  await client.until(() => first.body().endsWith('still there'), 'an echo');
});
