import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Lets Node collect what nothing refers to. */
export async function collect(): Promise<void> {
  // Within the same turn, a WeakRef keeps its target.
  await new Promise(setImmediate);
  gc();
  await new Promise(setImmediate);
}
