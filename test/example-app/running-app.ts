import { once } from 'node:events';
import { rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { ClientOptions } from 'ws';
import { logFile } from '../../example-app/access-log.js';
import { createApp } from '../../example-app/app.js';
import { connect, type Client } from '../support/client.js';

export interface RunningApp {
  readonly server: Server;
  readonly origin: string;
  /** Opens a websocket to a path; rejects when the handshake is refused. It ends with the test. */
  open(path: string, options?: ClientOptions): Promise<Client>;
}

/** Runs the example app for the tests of a file. */
export function useApp(): RunningApp {
  let server: Server;
  const port = () => (server.address() as AddressInfo).port;

  beforeAll(async () => {
    server = createApp().listen(0);
    await once(server, 'listening');
  });
  afterAll(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    removeLog();
  });

  return {
    get server() {
      return server;
    },
    get origin() {
      return `http://localhost:${String(port())}`;
    },
    open: (path, options) => connect({ port: port(), tls: false }, path, options),
  };
}

/** Vitest ends its processes without the exit that would remove the log. */
export function removeLog(): void {
  rmSync(dirname(logFile), { recursive: true, force: true });
}
