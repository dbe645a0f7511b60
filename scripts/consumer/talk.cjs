'use strict';
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { WebSocket } = require('ws');

/** Sends hello to a real server over a real WebSocket, and expects its echo. */
exports.talk = async function talk(server, path) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${server.address().port}${path}`);
  await once(client, 'open');
  client.send('hello');
  const [data] = await once(client, 'message');
  assert.equal(String(data), 'hello');
  client.close();
  await once(client, 'close');
  server.close();
  await once(server, 'close');
};
