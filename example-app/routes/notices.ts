import { json, Router } from 'express';
import { acceptWebsocket, type Websocket } from 'dwebsocket';
import { sendPage } from '../send-page.js';

const readers = new Set<Websocket>();

/** An HTTP POST pushes to every page that is open. */
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
    res.status(400).json({ error: 'send { "text": "…" }' });
    return;
  }
  for (const reader of readers) reader.send(text);
  res.json({ readers: readers.size });
});
