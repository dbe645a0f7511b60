import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { acceptWebsocket, openWebsockets, requireWebsocket } from 'dwebsocket';
import { createGroups, redisBackplane, redisStreamBackplane, type Person } from 'dwebsocket/groups';
import express from 'express';
import { createClient } from 'redis';
import type { GroupsArgument, HistoryArgument, PeopleArgument } from '../candidates.js';
import { obey } from '../presence.js';

export function echo(): Server {
  const app = express();
  app.get(
    '/echo',
    requireWebsocket(async (req) => {
      for await (const message of req.websocket) req.websocket.send(message);
    }),
  );
  return app.listen(0, '127.0.0.1');
}

/** Echoes as a library does that expects a socket of ws. */
export function handedOver(): Server {
  const app = express();
  app.get(
    '/echo',
    requireWebsocket((req) => {
      const socket = req.websocket.handOver();
      socket.on('message', (data: Buffer, isBinary: boolean) => {
        socket.send(data, { binary: isBinary });
      });
    }),
  );
  return app.listen(0, '127.0.0.1');
}

/** Parses each message as JSON, and answers with the value. */
export function json(): Server {
  const app = express();
  app.get(
    '/echo',
    requireWebsocket(
      async (req) => {
        for await (const value of req.websocket) req.websocket.send(value);
      },
      { messages: 'json' },
    ),
  );
  return app.listen(0, '127.0.0.1');
}

/** Sends each message of `/sender` to all other websockets, `burst` times. */
export function fanOut({ burst }: { burst: number }): Server {
  const app = express();
  app.get(
    '/member',
    acceptWebsocket(async (req) => {
      await req.websocket?.closed;
    }),
  );
  app.get(
    '/sender',
    requireWebsocket<Record<string, string>, 'text'>(
      async (req) => {
        for await (const text of req.websocket) {
          for (let index = 0; index < burst; index++) {
            const message = text + String(index % 10);
            for (const member of openWebsockets(server)) {
              if (member !== req.websocket) member.send(message);
            }
          }
        }
      },
      { messages: 'text' },
    ),
  );
  const server = app.listen(0, '127.0.0.1');
  return server;
}

/** Does the same with groups, in one process or over Redis. */
export async function groups({ burst, redis }: GroupsArgument): Promise<Server> {
  const groups = createGroups(redis === undefined ? {} : { backplane: redisBackplane(await connect(redis)) });
  const groupOf = (req: express.Request) => groups.group(String(req.query.group));
  const app = express();
  app.get(
    '/member',
    requireWebsocket(async (req) => {
      groupOf(req).add(req.websocket);
      await req.websocket.closed;
    }),
  );
  app.get(
    '/sender',
    requireWebsocket<Record<string, string>, 'text'>(
      async (req) => {
        const group = groupOf(req);
        for await (const text of req.websocket) {
          for (let index = 0; index < burst; index++) group.send(text + String(index % 10));
        }
      },
      { messages: 'text' },
    ),
  );
  return app.listen(0, '127.0.0.1');
}

/** Serves groups that keep their last messages in Redis. A member that comes back gets what it has missed. */
export async function history({ redis, length }: HistoryArgument): Promise<Server> {
  const groups = createGroups({
    backplane: redisStreamBackplane(await connect(redis), { maxLength: length }),
    messages: 'json',
    history: { length, age: 3_600_000, stamp: 'id' },
  });
  const app = express();
  app.get(
    ['/member', '/sender'],
    requireWebsocket<Record<string, string>, 'text'>(
      async (req) => {
        const group = groups.group(String(req.query.group));
        const { since } = req.query as Record<string, string | undefined>;
        void group.add(req.websocket, { since, welcome: (start) => start });
        for await (const text of req.websocket) group.send({ text });
      },
      { messages: 'text' },
    ),
  );
  return app.listen(0, '127.0.0.1');
}

/** Lets websockets join and leave groups by name, and lists the people. */
export async function people({ redis }: PeopleArgument): Promise<Server> {
  const groups = createGroups({ backplane: redisBackplane(await connect(redis)) });
  const app = express();
  app.get(
    '/member',
    requireWebsocket<Record<string, string>, 'text'>(
      async (req) => {
        const { websocket } = req;
        const group = groups.group(String(req.query.group));
        const presence = {
          join: () => group.add(websocket, { as: String(req.query.as) }),
          leave: () => group.delete(websocket),
          read: () => group.people.map(({ as }) => String(as)),
          see: (name: string) =>
            new Promise<void>((resolve) => {
              const onJoin = ({ as }: Person): void => {
                if (as !== name) return;
                group.off('join', onJoin);
                resolve();
              };
              group.on('join', onJoin);
            }),
        };
        for await (const order of websocket) await obey(order, presence, (text) => websocket.send(text));
      },
      { messages: 'text' },
    ),
  );
  return app.listen(0, '127.0.0.1');
}

async function connect(url: string) {
  const client = createClient({ url });
  await client.connect();
  return client;
}

/** Echoes slowly: waits a millisecond for each message. */
export function slowEcho(): Server {
  const app = express();
  app.get(
    '/echo',
    requireWebsocket(async (req) => {
      for await (const message of req.websocket) {
        await sleep(1);
        req.websocket.send(message);
      }
    }),
  );
  return app.listen(0, '127.0.0.1');
}
