import { describeRuntime } from './support/describe-runtime.js';
import { nodes } from './support/runtimes.js';

for (const node of nodes) describeRuntime(node);
