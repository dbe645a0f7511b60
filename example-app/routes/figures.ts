import { loadavg } from 'node:os';
import { acceptWebsocket } from '../json-websocket.js';
import { sendPage } from '../send-page.js';

/** A push loop: measure, send, sleep. `sleep` gives true after a second, and false as soon as the browser has left. */
export const figures = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) return sendPage(res, 'figures');

  do req.websocket.send(measureProcess());
  while (await req.websocket.sleep(1000));
});

function measureProcess() {
  return { memory: process.memoryUsage().heapUsed, load: loadavg()[0], uptime: process.uptime() };
}
