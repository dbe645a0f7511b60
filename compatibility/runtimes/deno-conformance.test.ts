import { describeConformance } from './support/describe-conformance.js';
import { deno } from './support/runtimes.js';

describeConformance(deno, {
  // Deno's node:zlib calls back with the error before it emits 'error', and ws takes the callback for success.
  except: [
    'bytes that are not compressed',
    'a block type that does not exist',
    'a stored block with a wrong length',
    'a reference to what was never sent',
  ],
  says: '[all but 4 cases](#deno)',
});
