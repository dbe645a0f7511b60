import { describeFramework } from './support/describe-framework.js';

describeFramework(
  { name: 'hapi', packages: ['@hapi/hapi'], needs: '[an adapter with `h.abandon`](#hapi)' },
  'hapi',
);
