import connect from 'connect';
import express, { type Express, type RequestHandler } from 'express';
import express4 from 'express4';
import type { WebsocketRoute } from 'dwebsocket';
import type { App } from './serve.js';

/** What an app of any framework here can be given. */
export interface Builder {
  use: (...handlers: RequestHandler[]) => void;
  /** A route for all methods. */
  route: (path: string, handler: WebsocketRoute) => void;
  /** An error handler, behind all else. */
  onError: (handle: (error: unknown) => void) => void;
  app: App;
}

function buildExpress(app: Express): Builder {
  return {
    app,
    use: (...handlers) => app.use(...handlers),
    route: (path, handler) => app.all(path, handler),
    onError: (handle) => {
      const handler: express.ErrorRequestHandler = (error, _req, res, next) => {
        handle(error);
        if (res.headersSent) next(error);
        else res.status(500).send('handled');
      };
      app.use(handler);
    },
  };
}

function buildConnect(): Builder {
  const app = connect();
  return {
    app,
    use: (...handlers) => {
      for (const handler of handlers) app.use(handler as unknown as connect.NextHandleFunction);
    },
    route: (path, handler) => app.use(path, handler as connect.NextHandleFunction),
    onError: (handle) =>
      app.use(
        (
          error: unknown,
          _req: unknown,
          res: import('node:http').ServerResponse,
          next: connect.NextFunction,
        ) => {
          handle(error);
          if (res.headersSent) {
            next(error);
          } else {
            res.statusCode = 500;
            res.end('handled');
          }
        },
      ),
  };
}

/** The frameworks with a `next`, by name: `test.for(FRAMEWORKS)('… on %s', async ([, build]) => …)`. */
export const FRAMEWORKS: readonly (readonly [name: string, build: () => Builder])[] = [
  ['Express 5', () => buildExpress(express())],
  ['Express 4', () => buildExpress(express4())],
  ['Connect', buildConnect],
];
