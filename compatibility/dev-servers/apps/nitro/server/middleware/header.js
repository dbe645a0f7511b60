import { defineHandler } from 'nitro/h3';

export default defineHandler((event) => {
  event.runtime.node.res.setHeader('x-middleware', 'yes');
});
