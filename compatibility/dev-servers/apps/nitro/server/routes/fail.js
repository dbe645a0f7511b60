import { requireWebsocket } from 'dwebsocket';
import { fromNodeHandler } from 'nitro/h3';

export default fromNodeHandler(
  requireWebsocket(async () => {
    throw new Error('boom');
  }),
);
