import { describeRuntime } from './support/describe-runtime.js';
import { deno } from './support/runtimes.js';

describeRuntime(deno);
