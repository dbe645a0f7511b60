import { describeConformance } from './support/describe-conformance.js';
import { bun } from './support/runtimes.js';

describeConformance(bun);
