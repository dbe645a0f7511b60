import { acceptWebsocket } from 'dwebsocket';
import { Router } from 'express';
import { z } from 'zod';
import type { Rooms } from '../chat/rooms.js';
import { sendPage } from '../send-page.js';

/** A chat with rooms. With Redis, a room reaches all instances of the app. */
export function chat(rooms: Rooms): Router {
  const router = Router();
  router.get('/', (_req, res) => res.redirect('/chat/lobby/'));
  router.param('room', (_req, _res, next, name: string) => next(isRoomName(name) ? undefined : 'route'));

  router.get(
    '/:room/',
    acceptWebsocket(
      async (req, res) => {
        if (!req.isWebsocket()) return sendPage(res, 'chat');

        // The first message is the name. Without one within ten seconds, the websocket closes.
        const name = (await req.websocket.wait(10_000))?.slice(0, 30);
        if (!name) return;

        const room = await rooms.enter(String(req.params.room), req.websocket, name);
        for await (const text of req.websocket) room.say(name, text);
      },
      { messages: z.string().trim().max(1000), maxPayload: 4096 },
    ),
  );
  return router;
}

const isRoomName = (name: string) => /^[\p{L}\p{N}_-]{1,40}$/u.test(name);
