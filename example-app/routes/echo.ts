import { acceptWebsocket } from 'dwebsocket';
import { sendPage } from '../send-page.js';

/** Serves a page, a response over HTTP, and an echo over a WebSocket from one route. */
export const echo = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) {
    const { message } = req.query;
    if (message === undefined) sendPage(res, 'echo');
    else res.type('text').send(String(message));
    return;
  }
  for await (const message of req.websocket) {
    req.websocket.send(`${message.toString()}这是你发来的。。。`);
  }
});
