import { createRequire } from 'node:module';
import { requirement } from '../../../test/support/requirements.js';

const require = createRequire(import.meta.url);

/** The Node that runs the programs of frameworks that need 22, or `undefined` if there is none here. */
export const NODE_22 = findNode22();

/** Whether such a Node is there. If not, the tests that need it are skipped, or fail if REQUIRE_ALL is set. */
export const hasNode22 = (): boolean => requirement('Node 22', NODE_22 !== undefined);

function findNode22(): string | undefined {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  try {
    return require.resolve(`node-${process.platform}-${process.arch}/bin/node`);
  } catch {
    return undefined;
  }
}
