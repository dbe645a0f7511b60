import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { onTestFinished } from 'vitest';

/** A way to a server that can lose its connections, as a cable that is pulled. */
export interface LossyLine {
  /** Returns `ws://127.0.0.1:port` and the path. */
  url(path: string): string;
  /** Ends all connections without a close frame, and takes no new ones. */
  lose(): void;
}

/** Opens a port that leads to the port of a server. */
export async function openLossyLine(port: number): Promise<LossyLine> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    pipeline(client, upstream, client, () => {
      // Either side may be lost.
    });
  });
  const lose = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(lose);
  const address = server.address() as AddressInfo;
  return { url: (path) => `ws://127.0.0.1:${address.port}${path}`, lose };
}
