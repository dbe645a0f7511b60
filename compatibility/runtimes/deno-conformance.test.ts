import { describeConformance } from './support/describe-conformance.js';
import { deno } from './support/runtimes.js';

describeConformance(deno);
