import type { RequestHandler } from 'express';
import { bundleClient } from '../scripts/bundle-client.js';

let code: string | undefined;

/**
 * Serves `dwebsocket/client` to the pages, from the sources of this checkout. An app that has the package from npm serves
 * its file with `express.static`: see docs/client.md.
 */
export const clientModule: RequestHandler = (_req, res) => {
  res.type('text/javascript').send((code ??= bundleClient()));
};
