import type { RequestHandler } from 'express';

/**
 * Takes the token from `new WebSocket(url, ['chat', 'bearer.' + token])`. The route says `{ protocols: ['chat'] }`, so
 * that the answer names `chat` and never the token.
 */
export function bearerFromProtocol(findUser: (token: string) => string | undefined): RequestHandler {
  return (req, res, next) => {
    const [, token] = /(?:^|,)\s*bearer\.([^\s,]+)/.exec(req.get('Sec-WebSocket-Protocol') ?? '') ?? [];
    const user = token === undefined ? undefined : findUser(token);
    if (user === undefined) {
      res.status(401).send('offer the subprotocol bearer.TOKEN beside chat');
      return;
    }
    res.locals.user = user;
    next();
  };
}
