import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A way to a server that can go dead: from then on it takes all bytes and delivers none, and nobody sees a FIN. */
export interface LossyProxy {
  readonly port: number;
  goDead(): void;
}

export async function openLossyProxy(target: number): Promise<LossyProxy> {
  const sockets: Socket[] = [];
  let dead = false;
  const proxy = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(client, server);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('data', (chunk: Buffer) => {
        if (!dead) to.write(chunk);
      });
      from.on('end', () => {
        if (!dead) to.end();
      });
      from.on('error', () => {});
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
    await once(proxy, 'close');
  });
  return {
    port: (proxy.address() as AddressInfo).port,
    goDead: () => {
      dead = true;
    },
  };
}
