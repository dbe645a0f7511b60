import { requireWebsocket } from 'dwebsocket';
import { openMeter } from '../compare/byte-meter.js';
import { EventStream, now } from '../compare/event-stream.js';

/**
 * Tells a client what it has cost so far, each time it asks; the time, for it to set its clock by; and the newest event, to
 * begin behind it.
 */
export const meter = requireWebsocket(async (req) => {
  const events = new EventStream(Number(req.query.rate));
  const costs = openMeter(String(req.query.client));
  try {
    while ((await req.websocket.wait()) !== null) {
      req.websocket.send(JSON.stringify({ now: now(), newest: events.newest, costs: costs.read() }));
    }
  } finally {
    costs.close();
  }
});
