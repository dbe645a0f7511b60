import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { acceptWebsocket, openWebsockets, requireWebsocket } from 'dwebsocket';
import express from 'express';

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

/** Each message of `/trigger` goes to all the others, `burst` times. */
export function fanOut({ burst }: { burst: number }): Server {
  const app = express();
  app.get(
    '/member',
    acceptWebsocket(async (req) => {
      await req.websocket?.closed;
    }),
  );
  app.get(
    '/trigger',
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

/** An echo that takes its time: a millisecond for each message. */
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
