/** Parts of Express apps that several candidates have. */
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { decide, USER_HEADER, type Tell } from '../app.js';

/** Middleware that awaits before it goes on. */
export const decideFirst: RequestHandler = async (req, _res, next) => {
  await decide(req.url);
  next();
};

/** An access log, which writes its line when the response has finished. */
export const logAccess =
  (tell: Tell): RequestHandler =>
  (_req, res, next) => {
    res.on('finish', () => tell('log'));
    next();
  };

/** An error handler that leaves the answer to Express. */
export const reportError =
  (tell: Tell): ErrorRequestHandler =>
  (error, _req, _res, next) => {
    tell('error');
    next(error);
  };

/** An error handler that first writes to a log elsewhere, or renders a page. */
export const answerErrorLater =
  (tell: Tell): ErrorRequestHandler =>
  (_error, _req, res, _next) => {
    tell('error');
    setTimeout(() => res.status(500).send('sorry'), 50);
  };

/** What all apps and routers of Express have, those of the candidates included. */
interface Routes {
  use(handler: RequestHandler): unknown;
  get(path: string, handler: RequestHandler): unknown;
  post(path: string, ...handlers: RequestHandler[]): unknown;
}

export function addUploads(app: Pick<Routes, 'use' | 'post'>, tell: Tell): void {
  app.use((req, _res, next) => {
    tell(`${req.method} ${req.url}`);
    next();
  });
  app.post('/upload', express.text({ type: () => true }), (req, res) => {
    res.send(String((req.body as string).length));
  });
}

/** A header on each answer, and a page. */
export function addUserHeader(app: Pick<Routes, 'use' | 'get'>): void {
  app.use((_req, res, next) => {
    res.setHeader(...USER_HEADER);
    next();
  });
  app.get('/', (_req, res) => {
    res.end();
  });
}

export function addEvents(app: Pick<Routes, 'get'>): void {
  app.get('/events', (_req, res) => {
    res.type('text/event-stream').flushHeaders();
    const timer = setInterval(() => res.write('data: now\n\n'), 50);
    res.on('close', () => clearInterval(timer));
  });
}
