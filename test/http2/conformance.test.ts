// The conversations of the conformance suite, each over an HTTP/2 stream of its own.
import { afterAll, beforeAll, describe, test } from 'vitest';
import { sections } from '../conformance/cases/index.js';
import { deliveries, fits, talk } from '../conformance/talk.js';
import { openTarget, type Target } from '../conformance/target.js';

for (const section of sections) {
  describe(section.name, () => {
    let target: Target;
    beforeAll(async () => {
      target = await openTarget(section.options, 'http2');
    });
    afterAll(() => target.stop());
    for (const delivery of deliveries) {
      const cases = section.cases.filter((row) => fits(row, delivery));
      test.each(cases)(`$name (${delivery})`, async (row) => {
        await talk(target, row, delivery);
      });
    }
  });
}
