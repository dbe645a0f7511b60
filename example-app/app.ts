import { fileURLToPath } from 'node:url';
import express, { type Express, type Response } from 'express';
import helmet from 'helmet';
import { accessLog } from './access-log.js';
import { createRooms } from './chat-rooms.js';
import { clientModule } from './client-module.js';
import { account } from './routes/account.js';
import { byteMeter } from './compare/byte-meter.js';
import { chat } from './routes/chat.js';
import { clock } from './routes/clock.js';
import { compare } from './routes/compare.js';
import { echo } from './routes/echo.js';
import { figures } from './routes/figures.js';
import { frames } from './routes/frames.js';
import { home } from './routes/home.js';
import { job } from './routes/job.js';
import { log } from './routes/log.js';
import { meter } from './routes/meter.js';
import { notices } from './routes/notices.js';
import { quiz } from './routes/quiz.js';
import { shell } from './routes/shell.js';
import { websocket } from './routes/websocket.js';

const folder = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Builds the example app, but does not listen: server.ts and the tests do. */
export function createApp(rooms = createRooms()): Express {
  const app = express();

  // Helmet's defaults, stricter where the pages allow it. WebSockets need no special settings.
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

  app.use(byteMeter, accessLog);

  app.get('/', (_req, res) => res.redirect('/home/'));
  app.get('/home/', home);
  app.get('/clock/', clock);
  app.get('/echo/', echo);
  app.get('/websocket/', websocket);

  app.get('/compare/', compare);
  app.get('/compare/meter', meter);

  app.get('/figures/', figures);
  app.get('/log/', log);
  app.get('/job/', job);
  app.get('/shell/', shell);
  app.get('/frames/', frames);
  app.get('/quiz/', quiz);
  app.use('/account/', account);
  app.use('/notices/', notices);
  app.use('/chat/', chat(rooms));

  app.get('/dwebsocket/client/index.mjs', clientModule);
  app.use(express.static(folder('public')));
  // Each page shows the source of the route that serves it.
  const asText = { setHeaders: (res: Response) => void res.type('text/plain') };
  app.use('/source', express.static(folder('.'), asText));
  app.use('/docs', express.static(folder('../docs'), asText));
  return app;
}
