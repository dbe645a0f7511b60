// What typed lint rules are to be quiet about, down to the line that says so. Compiled and linted, never run.
import express from 'express';
import { acceptWebsocket, closeWebsockets, requireWebsocket } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import { connect } from 'dwebsocket/testing';

const app = express();
const groups = createGroups();

app.get(
  '/',
  acceptWebsocket(async (req, res) => {
    if (!req.isWebsocket()) {
      res.end();
      return;
    }
    req.websocket.send('hello');
    for await (const message of req.websocket) req.websocket.send(message);
    req.websocket.close(4000, 'enough');
  }),
  requireWebsocket((req) => {
    req.websocket.send(Buffer.alloc(1), { binary: false });
    groups.group('all').add(req.websocket);
    groups.group('all').send('hello');
    req.websocket.close();
  }),
);

export async function test(): Promise<void> {
  const client = await connect(app, '/');
  client.send('hello');
  client.close();
}

// Quiet no more: from here on they must speak.

export function mistakes(): void {
  connect(app, '/');
  closeWebsockets(app.listen());
  requireWebsocket((req) => {
    req.websocket.wait();
    req.websocket.sleep(1);
  });
}
