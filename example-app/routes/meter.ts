import { openMeter } from '../compare/byte-meter.js';
import { EventStream, now } from '../compare/event-stream.js';
import { requireWebsocket } from '../json-websocket.js';

/**
 * Answers each message of a client with its costs so far, the time (to set its clock), and the newest event (to begin
 * after it).
 */
export const meter = requireWebsocket(async (req) => {
  const events = new EventStream(Number(req.query.rate));
  const costs = openMeter(String(req.query.client));
  try {
    while ((await req.websocket.wait()) !== null) {
      req.websocket.send({ now: now(), newest: events.newest, costs: costs.read() });
    }
  } finally {
    costs.close();
  }
});
