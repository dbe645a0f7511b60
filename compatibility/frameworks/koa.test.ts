import { describeFramework } from './support/describe-framework.js';

describeFramework(
  {
    name: 'Koa',
    packages: ['koa', '@koa/router'],
    needs: '[an adapter with `ctx.respond = false`](#koa)',
  },
  'koa',
  { logs: true },
);
