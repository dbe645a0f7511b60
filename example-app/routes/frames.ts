import { acceptWebsocket } from 'dwebsocket';
import { drawEdges } from '../draw-edges.js';
import { sendPage } from '../send-page.js';

/** Receives frames of pixels, and sends their edges. Binary messages are Buffers. */
export const frames = acceptWebsocket(
  async (req, res) => {
    if (!req.isWebsocket()) return sendPage(res, 'frames');

    for await (const pixels of req.websocket) await req.websocket.send(drawEdges(pixels));
  },
  { messages: 'binary', maxPayload: 256 * 1024 },
);
