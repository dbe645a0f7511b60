'use strict';
// Uses the package through `require`. A route wrapped through `require` runs on a server attached through `import`.
const assert = require('node:assert/strict');
const { createServer } = require('node:http');
const express = require('express');
const { acceptWebsocket, openWebsockets } = require('dwebsocket');
const { createGroups } = require('dwebsocket/groups');
const { connect } = require('dwebsocket/testing');
const { talk } = require('./talk.cjs');

async function main() {
  const groups = createGroups();
  const app = express();
  app.get(
    '/echo',
    acceptWebsocket(async (req) => {
      groups.group('all').add(req.websocket);
      for await (const message of req.websocket) groups.group('all').send(message);
    }),
  );

  const imported = await import('dwebsocket');
  const server = createServer(app);
  imported.attachWebsocket(server);
  assert.equal(imported.openWebsockets(server), openWebsockets(server));
  await talk(server, '/echo');

  const client = await connect(app, '/echo');
  client.send('hello');
  assert.equal(await client.wait(), 'hello');
  await client.close();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
