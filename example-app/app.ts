import { fileURLToPath } from 'node:url';
import express, { type Express } from 'express';
import helmet from 'helmet';
import { byteMeter } from './compare/byte-meter.js';
import { compare } from './routes/compare.js';
import { echo } from './routes/echo.js';
import { home } from './routes/home.js';
import { meter } from './routes/meter.js';
import { websocket } from './routes/websocket.js';

const folder = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Builds the example app. It never listens: server.ts does, and so do the tests. */
export function createApp(): Express {
  const app = express();

  // Helmet's defaults, made stricter where the pages allow it. Nothing here is special to WebSockets.
  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'self'"],
          imgSrc: ["'self'", 'data:', 'blob:'],
          objectSrc: ["'none'"],
          baseUri: ["'self'"],
          formAction: ["'self'"],
          frameAncestors: ["'none'"],
        },
      },
    }),
  );

  app.use(byteMeter);

  app.get('/', (_req, res) => res.redirect('/home/'));
  app.get('/home/', home);
  app.get('/echo/', echo);
  app.get('/websocket/', websocket);

  app.get('/compare/', compare);
  app.get('/compare/meter', meter);

  app.use(express.static(folder('public')));
  // Each page shows the route that serves it, as it is on disk.
  app.use('/source', express.static(folder('.'), { setHeaders: (res) => void res.type('text/plain') }));
  return app;
}
