import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Lets Node collect what nothing refers to. */
export async function collect(): Promise<void> {
  // Within the same turn, a WeakRef keeps its target.
  await new Promise(setImmediate);
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  await new Promise(setImmediate);
}
