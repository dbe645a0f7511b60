import { createRequire } from 'node:module';
import { requirement } from '../../../test/support/requirements.js';

const require = createRequire(import.meta.url);

/** The Node that runs the apps, because most agents need 22 or later; `undefined` if there is none here. */
const NODE_22 = findNode22();

export const hasNode22 = requirement('Node 22', NODE_22 !== undefined);

/** The Node that runs the apps. Tests that call this run only if `hasNode22`. */
export function node22(): string {
  if (NODE_22 === undefined) throw new Error('there is no Node 22');
  return NODE_22;
}

function findNode22(): string | undefined {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  try {
    return require.resolve(`node-${process.platform}-${process.arch}/bin/node`);
  } catch {
    return undefined;
  }
}
