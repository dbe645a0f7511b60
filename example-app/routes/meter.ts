import { requireWebsocket } from 'dwebsocket';
import { openMeter } from '../compare/byte-meter.js';
import { now } from '../compare/event-stream.js';

/** Tells a client what it has cost so far, each time it asks; and the time, for it to set its clock by. */
export const meter = requireWebsocket(async (req) => {
  const costs = openMeter(String(req.query.client));
  try {
    while ((await req.websocket.wait()) !== null) {
      req.websocket.send(JSON.stringify({ now: now(), costs: costs.read() }));
    }
  } finally {
    costs.close();
  }
});
