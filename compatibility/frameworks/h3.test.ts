import { describeCommonCheck } from '../support/common-check.js';
import { startSection } from './support/section.js';

describeCommonCheck({ name: 'h3', packages: ['h3'], needs: '[an adapter with `fromNodeHandler`](#h3)' }, () =>
  startSection('h3'),
);

describeCommonCheck({ name: 'h3 1', packages: ['h3-1'], needs: '[`fromNodeMiddleware`](#h3-1)' }, () =>
  startSection('h3-1', { aliases: { h3: 'h3-1' } }),
);
