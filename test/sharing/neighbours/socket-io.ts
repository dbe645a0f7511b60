import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { expect, onTestFinished } from 'vitest';
import { defer, within } from '../../support/inbox.js';
import type { Neighbour } from './neighbour.js';

interface Options {
  transports: ('polling' | 'websocket')[];
  /** Milliseconds after which it ends a foreign socket to which nothing was written. */
  destroyUpgradeTimeout?: number;
}

export function socketIo({ transports, destroyUpgradeTimeout = 500 }: Options): Neighbour {
  return {
    name: `socket.io (${transports.join(' and ')})`,
    strangers: 'leaves',
    async join(server) {
      let visits = 0;
      let middlewareRuns = 0;
      let connections = 0;
      const errors: unknown[] = [];
      const site = new Server(server, { destroyUpgradeTimeout });
      site.use((_socket, next) => {
        middlewareRuns++;
        next();
      });
      site.engine.on('connection_error', (error) => errors.push(error));
      site.on('connection', (socket) => {
        connections++;
        socket.on('hello', (name: string, answer: (text: string) => void) => answer(`socket.io: ${name}`));
      });
      onTestFinished(async () => {
        site.disconnectSockets(true);
        site.engine.close();
      });
      return {
        async visit({ port, tls }) {
          visits++;
          const client = io(`${tls ? 'https' : 'http'}://127.0.0.1:${port}`, {
            transports,
            forceNew: true,
            reconnection: false,
            rejectUnauthorized: false,
          });
          const failed = defer<never>();
          client.on('connect_error', failed.reject);
          const connected = new Promise<void>((resolve) => client.on('connect', resolve));
          await within(Promise.race([connected, failed.promise]), 'connection of socket.io');
          const { engine } = client.io;
          if (engine.transport.name !== 'websocket')
            await within(new Promise((resolve) => engine.once('upgrade', resolve)), 'upgrade');
          expect(engine.transport.name).toBe('websocket');
          const answer = new Promise((resolve) => void client.emit('hello', 'ada', resolve));
          expect(await within(answer, 'answer of socket.io')).toBe('socket.io: ada');
          client.disconnect();
        },
        expectUndisturbed() {
          expect({ middlewareRuns, connections, errors }).toEqual({
            middlewareRuns: visits,
            connections: visits,
            errors: [],
          });
        },
      };
    },
  };
}
