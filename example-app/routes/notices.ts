import { json, Router } from 'express';
import { acceptWebsocket, type Websocket } from 'dwebsocket';
import { sendPage } from '../send-page.js';

const readers = new Set<Websocket>();

/** Sends the text of an HTTP POST to every open page. */
export const notices = Router();

notices.get(
  '/',
  acceptWebsocket(async (req, res) => {
    if (!req.isWebsocket()) return sendPage(res, 'notices');

    readers.add(req.websocket);
    req.websocket.ignoreMessages();
    await req.websocket.closed;
    readers.delete(req.websocket);
  }),
);

notices.post('/', json(), (req, res) => {
  const { text } = (req.body ?? {}) as { text?: unknown };
  if (typeof text !== 'string' || text === '') {
    res.status(400).json({ error: 'the text is missing; send { "text": "…" }' });
    return;
  }
  for (const reader of readers) reader.send(text);
  res.json({ readers: readers.size });
});
