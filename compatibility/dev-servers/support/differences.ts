import { expect } from 'vitest';
import { connect } from '../../../test/support/client.js';
import type { Difference } from '../../support/common-check.js';

/** A dev server answers unknown paths with the page of the app, also over plain HTTP. */
export const answersWithPage: Difference = async (program, see) => {
  await expect(connect(program, '/nowhere')).rejects.toThrow('with 200');
  see('200, the page');
};

/** A program that handles SIGTERM in its own way: with this close code for the clients, and this end of the process. */
export function endsWith(closeCode: number, exitCode: number | null, path = '/echo'): Difference {
  return async (program, see) => {
    const client = await connect(program, path);
    const ended = program.stop('SIGTERM');
    expect((await client.closed()).code).toBe(closeCode);
    expect(await ended).toEqual({ code: exitCode, signal: exitCode === null ? 'SIGTERM' : null });
    see(closeCode === 1001 ? 'yes' : String(closeCode));
  };
}

/** Vite destroys all connections before it closes the server. 143 is 128 and the number of the signal. */
export const destroysConnections = endsWith(1006, 143);
