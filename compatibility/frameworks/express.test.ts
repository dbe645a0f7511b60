import { describeFramework } from './support/describe-framework.js';

describeFramework({ name: 'Express 5', packages: ['express'], needs: '[nothing](#express)' }, 'express');

describeFramework({ name: 'Express 4', packages: ['express4'], needs: '[nothing](#express)' }, 'express', {
  aliases: { express: 'express4' },
});

describeFramework({ name: 'Connect', packages: ['connect'], needs: '[nothing](#connect)' }, 'connect');
