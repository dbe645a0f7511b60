import { once } from 'node:events';
import { rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import WebSocket, { type ClientOptions } from 'ws';
import { logFile } from '../../example-app/access-log.js';
import { createApp } from '../../example-app/app.js';

export interface RunningApp {
  readonly server: Server;
  readonly origin: string;
  /** Opens a websocket to a path; rejects when the handshake is refused. */
  open(path: string, options?: ClientOptions): Promise<WebSocket>;
}

/** Runs the example app for the tests of a file. */
export function useApp(): RunningApp {
  let server: Server;
  const origin = () => `http://localhost:${String((server.address() as AddressInfo).port)}`;

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
      return origin();
    },
    async open(path, options) {
      const websocket = new WebSocket(new URL(path, origin()), options);
      await once(websocket, 'open');
      return websocket;
    },
  };
}

/** Vitest ends its processes without the exit that would remove the log. */
export function removeLog(): void {
  rmSync(dirname(logFile), { recursive: true, force: true });
}

/** The next message of a websocket, as text. */
export async function receive(websocket: WebSocket): Promise<string> {
  const [data] = (await once(websocket, 'message')) as [Buffer];
  return data.toString();
}

/** Closes a websocket and waits until the server agrees. */
export async function leave(websocket: WebSocket): Promise<void> {
  const closed = once(websocket, 'close');
  websocket.close();
  await closed;
}
