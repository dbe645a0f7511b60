import express, { type RequestHandler } from 'express';
import { closeWebsockets } from 'dwebsocket';
import { expect } from 'vitest';
import { Inbox } from '../../test/support/inbox.js';
import { recordErrors } from '../../test/support/record-errors.js';
import { serve } from '../../test/support/serve.js';
import { runBlock, type BlockExports } from './page.js';

/** The app of a block of the page, on a free port. */
export interface LibrarySite {
  readonly port: number;
  /** Returns `ws://127.0.0.1:port` and the path. */
  url(path?: string): string;
  /** Fails if the app's error handlers got an error, or if a request has not ended when all clients have left. */
  expectQuiet(): Promise<void>;
  /** Closes all websockets with 1001, as a server does at shutdown. */
  shutDown(): Promise<void>;
}

/** The app of a block, and what the block exports. */
export interface BlockSite extends LibrarySite {
  readonly exports: BlockExports;
}

/** Serves the block of code under a heading of docs/libraries.md. The parameters are those of `runBlock`. */
export async function serveBlock(anchor: string, aliases?: Record<string, string>): Promise<BlockSite> {
  const exports = await runBlock(anchor, aliases);
  return { ...(await serveApp(exports.app)), exports };
}

/** Serves an app between a middleware and an error handler that note what they see. */
export async function serveApp(routes: RequestHandler): Promise<LibrarySite> {
  const errors = new Inbox<unknown>();
  let open = 0;
  const app = express();
  app.use((_req, res, next) => {
    open++;
    res.on('close', () => open--);
    next();
  });
  app.use(routes);
  app.use(recordErrors(errors));
  const { port, server } = await serve(app);
  return {
    port,
    url: (path = '/') => `ws://127.0.0.1:${port}${path}`,
    async expectQuiet() {
      await expect.poll(() => open).toBe(0);
      expect(errors.rest()).toEqual([]);
    },
    shutDown: () => closeWebsockets(server),
  };
}
