import { describeFramework } from './support/describe-framework.js';

describeFramework({ name: 'h3', packages: ['h3'], needs: '[an adapter with `fromNodeHandler`](#h3)' }, 'h3');

describeFramework({ name: 'h3 1', packages: ['h3-1'], needs: '[`fromNodeMiddleware`](#h3-1)' }, 'h3-1', {
  aliases: { h3: 'h3-1' },
});
