import { describeFramework } from './support/describe-framework.js';

/** Frameworks with the signature of Connect. */
for (const [name, packageName] of [
  ['Polka', 'polka'],
  ['restana', 'restana'],
  ['tinyhttp', '@tinyhttp/app'],
] as const)
  describeFramework(
    { name, packages: [packageName], needs: `[nothing](#${name.toLowerCase()})` },
    name.toLowerCase(),
  );

describeFramework(
  { name: 'find-my-way', packages: ['find-my-way'], needs: '[a `next` for errors](#find-my-way)' },
  'find-my-way',
);
