/** A chat in workers of node:cluster, which share one port. The argument is the URL of Redis, or the path of a socket. */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { requireWebsocket } from 'dwebsocket';
import { type Backplane, createGroups } from 'dwebsocket/groups';
import { localBackplane } from 'dwebsocket/groups/local';
import { redisBackplane } from 'dwebsocket/groups/redis';
import express from 'express';
import { createClient } from 'redis';

const WORKERS = 3;

async function lead(): Promise<void> {
  let port = 0;
  for (let count = 0; count < WORKERS; count++) {
    const [address] = (await once(cluster.fork(), 'listening')) as [{ port: number }];
    port = address.port;
  }
  process.send!({ port });
  process.once('message', () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.send('end');
    process.disconnect();
  });
  // The test has ended without a word. Workers end with this process.
  process.once('disconnect', () => setTimeout(() => process.exit(1), 20_000).unref());
}

async function openBackplane(place: string): Promise<{ backplane: Backplane; end: () => void }> {
  if (!place.startsWith('redis:')) return { backplane: localBackplane({ path: place }), end: () => {} };
  const client = createClient({ url: place });
  await client.connect();
  return { backplane: redisBackplane(client), end: () => client.destroy() };
}

async function work(): Promise<void> {
  const { backplane, end } = await openBackplane(process.argv[2]!);
  const groups = createGroups({ backplane });
  const app = express();
  app.get(
    '/room/:name',
    requireWebsocket(async (req) => {
      const room = groups.group(req.params.name!);
      await room.add(req.websocket);
      req.websocket.send(`process ${process.pid}`);
      for await (const message of req.websocket) room.send(message, { except: req.websocket });
    }),
  );
  const server = app.listen(0, '127.0.0.1');
  await once(process, 'message');
  await groups.close();
  end();
  server.close();
  process.disconnect();
}

await (cluster.isPrimary ? lead() : work());
