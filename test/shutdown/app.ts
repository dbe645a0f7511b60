/**
 * A server in a process of its own, for its end to be seen from outside. Prints its port, closes on SIGTERM, says when
 * `close` has called back, and then nothing but open connections could keep it alive.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { withDefaults } from 'dwebsocket';

const closeTimeout = Number(process.env.CLOSE_TIMEOUT ?? 5_000);
const { requireWebsocket } = withDefaults({ closeTimeout });
const app = express();

app.get(
  '/waiting',
  requireWebsocket((req) => req.websocket.wait()),
);

app.get(
  '/iterating',
  requireWebsocket(async (req) => {
    for await (const message of req.websocket) req.websocket.send(message);
  }),
);

// To a client that does not read: it waits for the client in send().
app.get(
  '/sending',
  requireWebsocket(async (req) => {
    while (await req.websocket.send('x'.repeat(10_000)));
  }),
);

app.get(
  '/sleeping',
  requireWebsocket(async (req) => {
    while (await req.websocket.sleep(60_000));
  }),
);

app.get(
  '/stuck',
  requireWebsocket(async () => {
    await new Promise(() => {});
  }),
);

app.get('/undecided', () => {
  // A middleware that never calls next().
});

// Says how much of a stream of numbers send() has answered with true, once its websocket has ended.
app.get(
  '/counting/:name',
  requireWebsocket<{ name: string }>(async (req) => {
    const { websocket } = req;
    let sent = Number(req.query.from);
    websocket.ignoreMessages();
    while (await websocket.send(`${sent} ${'.'.repeat(sent % 500)}`)) {
      sent++;
      if (sent % 100 === 0) await websocket.sleep(1);
    }
    console.log(`sent ${req.params.name} ${sent}`);
  }),
);

const server = createServer(app).listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`port ${(server.address() as AddressInfo).port}`);
});

process.once('SIGTERM', () => {
  server.close((error) => {
    console.log(`closed ${error?.message ?? ''}`);
  });
});
