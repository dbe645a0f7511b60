import type { RequestHandler } from 'express';
import type { Message, Websocket } from 'dwebsocket';

/**
 * At most so many websockets (and other requests) of one address at a time: `app.get('/chat', limitOpen(10), …)`.
 * Behind a proxy it needs `app.set('trust proxy', …)`, like everything that looks at `req.ip`.
 */
export function limitOpen(max: number): RequestHandler {
  const open = new Map<string, number>();
  return (req, res, next) => {
    const address = req.ip ?? '';
    const count = (open.get(address) ?? 0) + 1;
    if (count > max) {
      res.status(429).send('too many connections');
      return;
    }
    open.set(address, count);
    // Comes when the websocket has ended, too.
    res.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
    next();
  };
}

/**
 * The messages of a websocket, as long as there are no more than `rate` a second (with bursts of as many); then it is
 * closed with 1008: `for await (const message of limitRate(req.websocket, 20)) …`
 */
export async function* limitRate<M extends Message>(
  websocket: Websocket<M>,
  rate: number,
): AsyncGenerator<M> {
  let allowance = rate;
  let last = performance.now();
  for await (const message of websocket) {
    const now = performance.now();
    allowance = Math.min(rate, allowance + ((now - last) / 1_000) * rate);
    last = now;
    if (allowance < 1) {
      void websocket.close(1008, 'too many messages');
      return;
    }
    allowance--;
    yield message;
  }
}
