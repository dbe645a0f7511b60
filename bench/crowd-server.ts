/** The server for 150,000 connections: one Express app in each of several node:cluster workers. */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { requireWebsocket } from 'dwebsocket';
import express from 'express';
import { answer } from './ipc.js';

/** The memory and CPU of one worker, or the sum over all. */
export interface CrowdUsage {
  connections: number;
  heap: number;
  rss: number;
  /** Milliseconds of CPU. */
  cpu: number;
}

const answers = {
  /** Starts the workers. Each listens on all addresses, and the primary process distributes the connections. */
  async start({ workers, addresses }: { workers: number; addresses: string[] }): Promise<number> {
    cluster.setupPrimary({ serialization: 'advanced' });
    // A port that is free on the first address is used on all.
    const port = await findPort();
    for (let index = 0; index < workers; index++) {
      const worker = cluster.fork();
      // A cluster worker reads messages from its first tick on. Sent earlier, this one would be lost.
      await once(worker, 'message');
      await ask(worker, { port, addresses });
    }
    return port;
  },

  /** Returns the usage of all workers after a garbage collection. */
  async usage(): Promise<CrowdUsage> {
    const total: CrowdUsage = { connections: 0, heap: 0, rss: 0, cpu: 0 };
    for (const worker of Object.values(cluster.workers ?? {})) {
      const usage = (await ask(worker as Worker, 'usage')) as CrowdUsage;
      total.connections += usage.connections;
      total.heap += usage.heap;
      total.rss += usage.rss;
      total.cpu += usage.cpu;
    }
    return total;
  },
};

export type CrowdAnswers = typeof answers;

async function ask(worker: Worker, question: unknown): Promise<unknown> {
  const reply = once(worker, 'message');
  worker.send(question as object);
  return ((await reply) as unknown[])[0];
}

async function findPort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function work(): void {
  let connections = 0;
  const app = express();
  app.get(
    '/echo',
    requireWebsocket(async (req) => {
      connections++;
      for await (const message of req.websocket) req.websocket.send(message);
      connections--;
    }),
  );
  process.on('message', (question: 'usage' | { port: number; addresses: string[] }) => {
    void (async () => {
      if (question !== 'usage') {
        await Promise.all(
          question.addresses.map((address) => once(app.listen(question.port, address), 'listening')),
        );
        process.send?.('listening');
        return;
      }
      for (let turn = 0; turn < 5; turn++) {
        globalThis.gc?.();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const { heapUsed: heap, rss } = process.memoryUsage();
      const { user, system } = process.cpuUsage();
      process.send?.({ connections, heap, rss, cpu: (user + system) / 1000 } satisfies CrowdUsage);
    })();
  });
  process.send?.('ready');
}

if (cluster.isPrimary) answer(answers);
else work();
