import { HTTPError, defineHandler } from 'nitro/h3';
import echo from './echo.js';

export default defineHandler((event) => {
  if (!event.req.headers.has('authorization')) throw new HTTPError({ status: 401 });
  return echo(event);
});
