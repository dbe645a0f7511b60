import { test } from 'vitest';

/** A framework, runtime, program or package under test: a row of a table. */
export interface Subject {
  /** What users call it, such as `NestJS`. */
  readonly name: string;
  /** The packages whose versions the table names, by their names in package.json of the folder or of `compatibility`. */
  readonly packages?: readonly string[];
  /** The version of what npm does not install. */
  readonly version?: string;
  /** What a user must do, in a few words of Markdown. */
  readonly needs?: string;
}

/** What one test has seen: a cell of a table. `table-reporter` finds it in the meta data of the test. */
export interface Cell {
  readonly subject: Subject;
  readonly column: string;
  /** What the table says. By default `yes`. */
  seen?: string;
}

declare module 'vitest' {
  interface TaskMeta {
    compatibility?: Cell;
  }
}

/**
 * A function that defines tests of a subject. Each test belongs to a column of the table; the cell says `yes` when all
 * tests of the column pass, or what `see` was given.
 *
 *     const check = checksOf({ name: 'Koa', packages: ['koa'], needs: '`ctx.respond = false`' });
 *     check('404', 'an unknown path is answered with 404', async () => { … });
 */
export function checksOf(subject: Subject) {
  return (
    column: string,
    sentence: string,
    run: (see: (seen: string) => void) => Promise<void> | void,
    { runIf = true, timeout }: { runIf?: boolean; timeout?: number } = {},
  ): void => {
    test.runIf(runIf)(sentence, timeout === undefined ? {} : { timeout }, async ({ task }) => {
      const cell: Cell = { subject, column };
      task.meta.compatibility = cell;
      await run((seen) => {
        cell.seen = seen;
      });
    });
  };
}

export type Check = ReturnType<typeof checksOf>;
