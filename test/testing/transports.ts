import http from 'node:http';
import https from 'node:https';
import { onTestFinished } from 'vitest';
import { requireWebsocket, type Websocket, type WebsocketOptions } from 'dwebsocket';
import { connect, type ConnectOptions, type Target, type TestClient } from 'dwebsocket/testing';
import { defer } from '../support/inbox.js';
import { CERTIFICATE, listen, type App } from '../support/serve.js';

/** Both ends of one websocket. */
export interface Ends {
  server: Websocket;
  client: TestClient;
}

export type Open = (options?: WebsocketOptions, clientOptions?: ConnectOptions) => Promise<Ends>;

/** All transports by name, with a function that opens a websocket. It closes at the end of the test. */
export const TRANSPORTS: readonly (readonly [name: string, open: Open])[] = [
  ['memory', openOn((app) => app)],
  ['TCP', openOn(async (app) => (await listen(http.createServer(app))).server)],
  ['TLS', openOn(async (app) => (await listen(https.createServer(CERTIFICATE, app))).server)],
];

function openOn(serve: (app: App) => Target | Promise<Target>): Open {
  return async (options = {}, clientOptions = {}) => {
    const arrived = defer<Websocket>();
    const route = requireWebsocket(async (req) => {
      arrived.resolve(req.websocket);
      await req.websocket.closed;
    }, options);
    const client = await connect(await serve(route), '/', { maxPayload: 2 ** 30, ...clientOptions });
    onTestFinished(async () => {
      client.terminate();
      await client.closed;
    });
    return { server: await arrived.promise, client };
  };
}
