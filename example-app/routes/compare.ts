import { acceptWebsocket } from 'dwebsocket';
import { EventStream } from '../compare/event-stream.js';
import { sendPage } from '../send-page.js';

/** One route, four ways to be up to date with the same events. */
export const compare = acceptWebsocket(async (req, res) => {
  const events = new EventStream(Number(req.query.rate));

  if (req.isWebsocket()) {
    for await (const event of events.live(req.websocket.signal)) req.websocket.send(JSON.stringify(event));
    return;
  }

  // Where the client knows no event yet, it is told of those from now on.
  const after = Number.parseInt(String(req.query.after)) || events.newest;
  const left = new AbortController();
  res.once('close', () => left.abort());
  res.set('Cache-Control', 'no-store');

  switch (req.query.way) {
    case 'polling': // whatever there is, and be it nothing
      res.json(events.since(after));
      return;
    case 'long-polling': // an answer as soon as there is something
      res.json(await events.next(after, left.signal));
      return;
    case 'streaming': // an answer that never ends, a line for each event
      res.type('application/x-ndjson').flushHeaders();
      for await (const event of events.live(left.signal)) res.write(`${JSON.stringify(event)}\n`);
      return;
    default:
      sendPage(res, 'compare');
  }
});
