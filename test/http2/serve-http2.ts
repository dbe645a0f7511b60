import { once } from 'node:events';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import { attachWebsocket } from 'dwebsocket';
import { openSession } from '../support/http2-tunnel.js';
import { CERTIFICATE } from '../support/serve.js';

/** An HTTP/2 server that listens until the test has finished. */
export interface Http2Site {
  readonly server: http2.Http2SecureServer;
  readonly port: number;
  readonly url: string;
  /** The sessions that are open, as the server sees them. */
  readonly sessions: ReadonlySet<http2.Http2Session>;
  /** Opens a session that closes with the test. */
  session(options?: http2.SecureClientSessionOptions): Promise<http2.ClientHttp2Session>;
}

// As wide as `http2` and Express need it: they disagree about the classes of requests.
export type AnyApp = (req: never, res: never) => unknown;

export async function serveHttp2(
  app: AnyApp,
  options: http2.SecureServerOptions = {},
  attach: (server: http2.Http2SecureServer) => void = (server) => {
    attachWebsocket(server);
  },
): Promise<Http2Site> {
  const server = http2.createSecureServer(
    { ...CERTIFICATE, allowHTTP1: true, ...options },
    app as unknown as (req: http2.Http2ServerRequest, res: http2.Http2ServerResponse) => void,
  );
  attach(server);
  const sessions = new Set<http2.Http2Session>();
  const sockets = new Set<TLSSocket>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
    session.once('close', () => sessions.delete(session));
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `https://localhost:${String(port)}`;
  onTestFinished(async () => {
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  });
  return {
    server,
    port,
    url,
    sessions,
    session: async (clientOptions) => {
      const session = await openSession(url, clientOptions);
      onTestFinished(() => {
        session.destroy();
      });
      return session;
    },
  };
}
