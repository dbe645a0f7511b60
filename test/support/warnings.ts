import { onTestFinished } from 'vitest';
import { Inbox } from './inbox.js';

/** What the package tells the process in this test; Node does not print it meanwhile. */
export function watchWarnings(): Inbox<Error & { code?: string }> {
  const warnings = new Inbox<Error & { code?: string }>();
  const listener = (warning: Error) => {
    if (warning.name === 'WebsocketWarning') warnings.push(warning);
  };
  const printers = process.listeners('warning').filter(({ name }) => name === 'onWarning');
  for (const printer of printers) process.removeListener('warning', printer);
  process.on('warning', listener);
  onTestFinished(() => {
    process.removeListener('warning', listener);
    for (const printer of printers) process.on('warning', printer);
  });
  return warnings;
}
