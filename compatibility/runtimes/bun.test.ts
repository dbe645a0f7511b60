import { describeRuntime } from './support/describe-runtime.js';
import { bun } from './support/runtimes.js';

describeRuntime(bun);
