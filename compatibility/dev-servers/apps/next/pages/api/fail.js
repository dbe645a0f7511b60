import { requireWebsocket } from 'dwebsocket';

export default requireWebsocket(async () => {
  throw new Error('an API route failed');
});
