// What an app's other packages put on Express's types is there in a wrapped handler. Compiled, never run.
import 'express-session';
import 'passport';
import { acceptWebsocket, requireWebsocket } from 'dwebsocket';
import { is } from '../expect.js';

declare module 'express-session' {
  interface SessionData {
    visits: number;
  }
}

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace Express {
    interface User {
      readonly name: string;
    }
    interface Request {
      readonly traceId: string;
    }
    interface Locals {
      readonly theme: 'dark' | 'light';
    }
  }
}

acceptWebsocket((req, res) => {
  is<number | undefined>()(req.session.visits);
  is<string | undefined>()(req.user?.name);
  is<string>()(req.traceId);
  is<'dark' | 'light'>()(res.locals.theme);
  is<boolean>()(req.isAuthenticated());
  if (!req.isWebsocket()) return;
  is<number | undefined>()(req.session.visits);
  is<string | undefined>()(req.user?.name);
});

requireWebsocket<{ id: string }>((req, res) => {
  req.session.visits = 1;
  is<string | undefined>()(req.user?.name);
  is<string>()(req.ip ?? '');
  is<string>()(req.traceId);
  is<'dark' | 'light'>()(res.locals.theme);
  req.session.destroy(() => undefined);
});
