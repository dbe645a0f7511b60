/* global defineEventHandler, setHeader */

export default defineEventHandler((event) => {
  setHeader(event, 'x-middleware', 'yes');
});
