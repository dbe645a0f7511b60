/* global fromNodeMiddleware */

import { requireWebsocket } from 'dwebsocket';

export default fromNodeMiddleware(
  requireWebsocket(async () => {
    throw new Error('boom');
  }),
);
