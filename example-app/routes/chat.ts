import { acceptWebsocket } from 'dwebsocket';
import type { Person } from 'dwebsocket/groups';
import { Router } from 'express';
import { z } from 'zod';
import type { Rooms } from '../chat-rooms.js';
import { sendPage } from '../send-page.js';

const Name = z.string().trim().min(1).max(30);
const Text = z.string().trim().max(1000);

/** A chat with rooms. With Redis, a room reaches all instances of the app. */
export function chat(rooms: Rooms): Router {
  const router = Router();
  router.get('/', (_req, res) => res.redirect('/chat/lobby/'));
  router.param('room', (_req, _res, next, name: string) => next(isRoomName(name) ? undefined : 'route'));

  const talk = acceptWebsocket<{ room: string }, typeof Text>(
    async (req, res) => {
      if (!req.isWebsocket()) return sendPage(res, 'chat');
      const { websocket, query, params } = req;
      const name = Name.safeParse(query.name).data;
      if (name === undefined) return websocket.close(1008, 'the name must have 1 to 30 characters');

      // A new page gets the last messages. One that comes back gets what it has missed.
      const room = rooms.group(`chat:${params.room}`);
      await room.add(websocket, { as: name, since: query.since, last: 20, welcome: (start) => start });
      websocket.send({ people: room.people.map(({ as }) => as) });
      const sendJoin = ({ as }: Person) => void websocket.send({ joined: as });
      const sendLeave = ({ as }: Person) => void websocket.send({ left: as });
      room.on('join', sendJoin).on('leave', sendLeave);
      void websocket.closed.then(() => room.off('join', sendJoin).off('leave', sendLeave));

      for await (const text of websocket) {
        if (text === '') continue;
        const { backplane, error } = await room.send({ name, text, at: Date.now() });
        if (error) console.error(`Chat: ${error.message}`);
        websocket.send({ sent: backplane });
        await websocket.sleep(100); // ten messages a second; further ones wait
      }
    },
    { messages: Text, maxPayload: 4096, maxQueue: 16_384 },
  );
  router.get('/:room/', talk);
  return router;
}

const isRoomName = (name: string) => /^[\p{L}\p{N}_-]{1,40}$/u.test(name);
