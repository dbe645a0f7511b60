/** A chat in workers of node:cluster, which share one port and one Redis. The argument is the URL of Redis. */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { requireWebsocket } from 'dwebsocket';
import { createGroups, redisBackplane } from 'dwebsocket/groups';
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
}

async function work(): Promise<void> {
  const client = createClient({ url: process.argv[2]! });
  await client.connect();
  const groups = createGroups({ backplane: redisBackplane(client) });
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
  client.destroy();
  server.close();
  process.disconnect();
}

await (cluster.isPrimary ? lead() : work());
