import type { RequestHandler } from 'express';

/** Refuses requests for other hosts. Use it before all routes: `app.use(onlyHosts(['localhost', '127.0.0.1']))`. */
export function onlyHosts(names: readonly string[]): RequestHandler {
  return (req, res, next) => {
    if (names.includes(req.hostname)) next();
    else res.status(421).send('this server has no host of that name; check the URL');
  };
}
