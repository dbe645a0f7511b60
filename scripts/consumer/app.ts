// Uses the package from TypeScript, compiled as an ES module and as CommonJS. CommonJS has no top-level await.
import assert from 'node:assert/strict';
import express from 'express';
import { acceptWebsocket, requireWebsocket, WebsocketClosedError, type Websocket } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import { connect } from 'dwebsocket/testing';

const app = express();
const groups = createGroups();

app.get(
  '/echo',
  acceptWebsocket(async (req, res) => {
    if (!req.isWebsocket()) {
      res.type('text').send(req.query['message']);
      return;
    }
    const websocket: Websocket = req.websocket;
    for await (const message of websocket) websocket.send(message);
  }),
);

app.get(
  '/json/:id',
  requireWebsocket<{ id: string }, 'text'>(
    async (req) => {
      groups.group(req.params.id).add(req.websocket);
      for await (const message of req.websocket)
        groups.group(req.params.id).send(JSON.stringify(JSON.parse(message)));
    },
    { messages: 'text' },
  ),
);

async function main(): Promise<void> {
  for (const path of ['/echo', '/json/1']) {
    const client = await connect(app, path);
    client.send('{"hello":1}');
    assert.equal(await client.wait(), '{"hello":1}');
    await client.close();
    assert.equal(await client.wait(), null);
    await assert.rejects(client.wait(), WebsocketClosedError);
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
