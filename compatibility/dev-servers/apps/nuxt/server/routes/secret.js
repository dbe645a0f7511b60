/* global createError, defineEventHandler, getHeader */

import echo from './echo.js';

export default defineEventHandler((event) => {
  if (getHeader(event, 'authorization') === undefined) throw createError({ statusCode: 401 });
  return echo(event);
});
