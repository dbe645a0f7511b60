import { test } from 'vitest';
import { holdCrowd } from '../http2/crowd.js';

test('10,000 websockets on 100 sessions of HTTP/2 echo, and close with 1001', () => holdCrowd(100, 100));
