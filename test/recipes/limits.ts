import type { RequestHandler } from 'express';
import type { Message, Websocket } from 'dwebsocket';

/**
 * Allows at most `max` websockets (and other requests) of one address at a time: `app.get('/chat', limitOpen(10), …)`.
 * Behind a proxy it needs `app.set('trust proxy', …)`, like everything that reads `req.ip`.
 */
export function limitOpen(max: number): RequestHandler {
  const open = new Map<string, number>();
  return (req, res, next) => {
    const address = req.ip ?? '';
    const count = (open.get(address) ?? 0) + 1;
    if (count > max) {
      res.status(429).send('too many connections; close one first');
      return;
    }
    open.set(address, count);
    // The response also emits 'close' when the websocket has ended.
    res.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
    next();
  };
}

/**
 * Yields the messages of a websocket. Closes it with 1008 when there are more than `rate` a second (bursts of as many
 * are allowed): `for await (const message of limitRate(req.websocket, 20)) …`
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
