import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import express from 'express';
import { expect, test } from 'vitest';
import { acceptWebsocket } from 'dwebsocket';
import { upgradeOf, type Upgrade, type UpgradeState } from '../../src/server/upgrade.js';
import { Inbox } from '../support/inbox.js';
import { handshakeRequest, openRaw } from '../support/raw-client.js';
import { serve } from '../support/serve.js';

test('an upgrade is pending until a route accepts it, and then holds its websocket', async () => {
  const states: UpgradeState[] = [];
  const held = new Inbox<boolean>();
  const app = express();
  app.use((req, _res, next) => {
    states.push(upgradeOf(req)!.state);
    next();
  });
  app.get(
    '/',
    acceptWebsocket((req) => {
      states.push(upgradeOf(req)!.state);
      held.push(upgradeOf(req)!.websocket === req.websocket);
    }),
  );
  const client = await openRaw((await serve(app)).port);
  expect(await held.next('websocket')).toBe(true);
  expect(states).toEqual(['pending', 'accepted']);
  client.destroy();
});

test('an upgrade is answered as soon as its answer begins', async () => {
  const states = new Inbox<UpgradeState>();
  const site = await serve((req, res) => {
    res.write('a');
    states.push(upgradeOf(req)!.state);
    res.end();
    res.on('close', () => {
      states.push(upgradeOf(req)!.state);
    });
  });
  const socket = connectSocket(site.port, '127.0.0.1').resume();
  socket.write(handshakeRequest());
  expect(await states.next('state')).toBe('answered');
  expect(await states.next('state')).toBe('answered');
  await once(socket, 'close');
});

test('an upgrade is gone when its client leaves before a route accepts it', async () => {
  const upgrades = new Inbox<Upgrade>();
  const site = await serve((req) => {
    upgrades.push(upgradeOf(req)!);
  });
  const socket = connectSocket(site.port, '127.0.0.1');
  socket.write(handshakeRequest());
  const upgrade = await upgrades.next('upgrade');
  const closed = once(upgrade.res, 'close');
  socket.resetAndDestroy();
  await closed;
  expect(upgrade.state).toBe('gone');
});
