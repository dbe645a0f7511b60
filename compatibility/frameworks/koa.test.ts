import { describeCommonCheck } from '../support/common-check.js';
import { startSection } from './support/section.js';

describeCommonCheck(
  { name: 'Koa', packages: ['koa'], needs: '[an adapter with `ctx.respond = false`](#koa)' },
  () => startSection('koa'),
);
