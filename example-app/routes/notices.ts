import { json, Router } from 'express';
import { acceptWebsocket } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import { z } from 'zod';
import { sendPage } from '../send-page.js';

const Notice = z.object({ text: z.string().min(1) });
const readers = createGroups({ sends: Notice }).group('readers');

/** Sends the text of an HTTP POST to every open page. */
export const notices = Router();

notices.get(
  '/',
  acceptWebsocket(async (req, res) => {
    if (!req.isWebsocket()) return sendPage(res, 'notices');

    readers.add(req.websocket);
    req.websocket.ignoreMessages();
    await req.websocket.closed;
  }),
);

notices.post('/', json(), (req, res) => {
  const notice = Notice.safeParse(req.body).data;
  if (!notice) return res.status(400).json({ error: 'the text is missing; send { "text": "…" }' });
  readers.send(notice);
  return res.json({ readers: readers.size });
});
