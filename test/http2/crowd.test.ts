import { test } from 'vitest';
import { holdCrowd } from './crowd.js';

test('1,000 websockets on 10 sessions echo, and close with 1001', { timeout: 60_000 }, () =>
  holdCrowd(10, 100),
);
