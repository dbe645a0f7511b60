import { describeCommonCheck } from '../support/common-check.js';
import { startSection } from './support/section.js';

/** Frameworks with the signature of Connect. */
for (const [name, packageName] of [
  ['Polka', 'polka'],
  ['restana', 'restana'],
  ['tinyhttp', '@tinyhttp/app'],
] as const)
  describeCommonCheck({ name, packages: [packageName], needs: `[nothing](#${name.toLowerCase()})` }, () =>
    startSection(name.toLowerCase()),
  );

describeCommonCheck(
  { name: 'find-my-way', packages: ['find-my-way'], needs: '[a `next` for errors](#find-my-way)' },
  () => startSection('find-my-way'),
);
