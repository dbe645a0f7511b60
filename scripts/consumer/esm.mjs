// Uses the package through `import`, and checks that `require` returns the same exports.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { acceptWebsocket } from 'dwebsocket';
import { connect } from 'dwebsocket/testing';
import talk from './talk.cjs';

const require = createRequire(import.meta.url);
const echo = async (req) => {
  for await (const message of req.websocket) req.websocket.send(message);
};

const app = express();
app.get('/imported', acceptWebsocket(echo));
app.get('/required', require('dwebsocket').acceptWebsocket(echo));
for (const path of ['/imported', '/required']) await talk.talk(createServer(app), path);

const client = await connect(app, '/imported');
client.send('hello');
assert.equal(await client.wait(), 'hello');
await client.close();

for (const specifier of process.argv.slice(2)) {
  const required = require(specifier);
  const imported = await import(specifier);
  assert.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort(), specifier);
  // The ES module of the client imports nothing, so it is another instance.
  const isShared = specifier !== 'dwebsocket/client';
  for (const name of Object.keys(required))
    assert.equal(imported[name] === required[name], isShared, `${specifier}: ${name}`);
  // This entry point has only types.
  if (specifier === 'dwebsocket/express') continue;
  assert.notEqual(Object.keys(required).length, 0, specifier);
}

// A page without a bundler loads this file, so it must not import others.
const file = await readFile(fileURLToPath(import.meta.resolve('dwebsocket/client')), 'utf8');
assert.doesNotMatch(file, /^import\b|\bimport\(/m);
