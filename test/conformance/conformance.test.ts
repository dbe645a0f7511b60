import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sections, handshakeSections } from './cases/index.js';
import { greet } from './greet.js';
import { deliveries, fits, talk } from './talk.js';
import { openTarget, type Target } from './target.js';

for (const section of sections) {
  describe(section.name, () => {
    const target = useTarget(section.options);
    for (const delivery of deliveries) {
      const cases = section.cases.filter((row) => fits(row, delivery));
      test.each(cases)(`$name (${delivery})`, async (row) => {
        await talk(target(), row, delivery);
      });
    }
  });
}

for (const section of handshakeSections) {
  describe(section.name, () => {
    const target = useTarget(section.options);
    test.each(section.cases)('$name', async (row) => {
      await greet(target(), row);
    });
  });
}

test('docs/conformance.md tells how many cases each table has', async () => {
  const text = await readFile(new URL('../../docs/conformance.md', import.meta.url), 'utf8');
  const page = text.replace(/ +/g, ' '); // without the padding of its columns
  const all = [...sections, ...handshakeSections];
  for (const { name, cases } of all) expect(page).toContain(`| ${name} | ${String(cases.length)} |`);
  expect(page).toContain(`| all | ${String(all.flatMap(({ cases }) => cases as unknown[]).length)} |`);
});

function useTarget(options: Parameters<typeof openTarget>[0]): () => Target {
  let target: Target | undefined;
  beforeAll(async () => {
    target = await openTarget(options);
  });
  afterAll(async () => {
    await target?.stop();
  });
  return () => {
    if (target === undefined) throw new Error('the server is not up');
    return target;
  };
}
