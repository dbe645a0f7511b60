import type { RequestHandler } from 'express';

/**
 * Takes the token from `new WebSocket(url, ['chat', 'bearer.' + token])`. Give the route `{ protocols: ['chat'] }`, so
 * that the response names `chat` and never the token.
 */
export function bearerFromProtocol(findUser: (token: string) => string | undefined): RequestHandler {
  return (req, res, next) => {
    const [, token] = /(?:^|,)\s*bearer\.([^\s,]+)/.exec(req.get('Sec-WebSocket-Protocol') ?? '') ?? [];
    const user = token === undefined ? undefined : findUser(token);
    if (user === undefined) {
      res.status(401).send('no valid token; offer the subprotocols chat and bearer.TOKEN');
      return;
    }
    res.locals.user = user;
    next();
  };
}
