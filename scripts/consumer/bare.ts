// A server without Express, compiled without the types of Express.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { acceptWebsocket } from 'dwebsocket';
import { connect } from 'dwebsocket/testing';

const server = createServer(
  acceptWebsocket(async (req, res) => {
    if (!req.isWebsocket()) {
      res.end(req.url);
      return;
    }
    const message = await req.websocket.wait();
    if (message !== null) req.websocket.send(message);
  }),
);

const client = await connect(server, '/');
client.send('hello');
assert.equal(await client.wait(), 'hello');
await client.close();
