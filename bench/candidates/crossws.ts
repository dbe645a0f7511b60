import { createServer, type Server } from 'node:http';
import crossws, { type NodeOptions } from 'crossws/adapters/node';
import { redis as redisSync } from 'crossws/sync';
import { createClient } from 'redis';
import type { GroupsArgument } from '../candidates.js';

export function echo(): Server {
  return serve(
    crossws({
      // The load accepts only echoes, and would take a ping for a wrong one.
      idleTimeout: 0,
      hooks: {
        message(peer, message) {
          peer.send(typeof message.rawData === 'string' ? message.text() : message.uint8Array());
        },
      },
    }),
  );
}

/** A group is a topic. `publish` of a peer reaches only its namespace (its path); `publish` of the server reaches all. */
export async function groups({ burst, redis }: GroupsArgument): Promise<Server> {
  const options: NodeOptions = {
    hooks: {
      open(peer) {
        const { pathname, searchParams } = new URL(peer.request.url);
        const group = searchParams.get('group') ?? '';
        peer.context.group = group;
        if (pathname === '/member') peer.subscribe(group);
      },
      message(peer, message) {
        const text = message.text();
        for (let index = 0; index < burst; index++) {
          websockets.publish(peer.context.group as string, text + String(index % 10));
        }
      },
    },
  };
  if (redis !== undefined) {
    const client = createClient({ url: redis });
    await client.connect();
    options.sync = redisSync({ client, channel: 'bench' });
  }
  const websockets = crossws(options);
  return serve(websockets);
}

function serve(websockets: ReturnType<typeof crossws>): Server {
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    void websockets.handleUpgrade(request, socket, head);
  });
  return server.listen(0, '127.0.0.1');
}
