import { EventStream } from '../compare/event-stream.js';
import { acceptWebsocket } from '../json-websocket.js';
import { sendPage } from '../send-page.js';

/** Sends the same events in four ways from one route. */
export const compare = acceptWebsocket(async (req, res) => {
  const events = new EventStream(Number(req.query.rate));

  if (req.isWebsocket()) {
    for await (const event of events.live(req.websocket.signal)) req.websocket.send(event);
    return;
  }

  // A client that knows no event yet gets the events from now on.
  const after = Number.parseInt(String(req.query.after)) || events.newest;
  const left = new AbortController();
  res.once('close', () => left.abort());
  res.set('Cache-Control', 'no-store');

  switch (req.query.way) {
    case 'polling': // answers at once with the new events, possibly none
      res.json(events.since(after));
      return;
    case 'long-polling': // answers as soon as there is an event
      res.json(await events.next(after, left.signal));
      return;
    case 'streaming': // answers without an end, one line for each event
      res.type('application/x-ndjson').flushHeaders();
      for await (const event of events.live(left.signal)) res.write(`${JSON.stringify(event)}\n`);
      return;
    default:
      sendPage(res, 'compare');
  }
});
