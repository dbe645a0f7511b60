import { describeFramework } from './support/describe-framework.js';

describeFramework(
  { name: 'Koa', packages: ['koa'], needs: '[an adapter with `ctx.respond = false`](#koa)' },
  'koa',
  { logs: true },
);
