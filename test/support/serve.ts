import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** For localhost and 127.0.0.1, signed by itself: `openssl req -x509 -newkey ec …`. */
export const CERTIFICATE = {
  key: readFileSync(new URL('./tls/key.pem', import.meta.url)),
  cert: readFileSync(new URL('./tls/certificate.pem', import.meta.url)),
};

/** A server that listens until the test has finished. */
export interface Site {
  readonly server: http.Server | https.Server;
  readonly port: number;
  readonly tls: boolean;
  /** The connections that are open, as the server sees them. */
  readonly sockets: ReadonlySet<Socket>;
}

/** Anything that `http.createServer` takes: an app of Express or Connect, a listener, one of our wrappers. */
export type App = http.RequestListener;

/** Serves an app on a free port. */
export function serve(app: App, { tls = false } = {}): Promise<Site> {
  return listen(tls ? https.createServer(CERTIFICATE, app) : http.createServer(app));
}

/** Lets a server listen on a free port (if it does not listen yet), and closes all that is open with the test. */
export async function listen(server: http.Server | https.Server): Promise<Site> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  });
  if (!server.listening) {
    if (server.address() === null) server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const { port } = server.address() as AddressInfo;
  return { server, port, tls: server instanceof https.Server, sockets };
}
