import { onTestFinished } from 'vitest';
import { Inbox } from './inbox.js';

/** What the package tells the process in this test, as `{ code, message }`. */
export function watchWarnings(): Inbox<Error & { code?: string }> {
  const warnings = new Inbox<Error & { code?: string }>();
  const listener = (warning: Error) => {
    if (warning.name === 'WebsocketWarning') warnings.push(warning);
  };
  process.on('warning', listener);
  onTestFinished(() => {
    process.removeListener('warning', listener);
  });
  return warnings;
}
