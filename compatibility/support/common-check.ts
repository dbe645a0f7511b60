import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { connect } from '../../test/support/client.js';
import type { Program } from './program.js';
import { checksOf, type Check, type Subject } from './subject.js';

/** What the check runs instead of a test of its own, where a subject differs. It must fail when the difference ends. */
export type Difference = (program: Program, see: (seen: string) => void) => Promise<void>;

export interface CommonCheckOptions {
  /** What stands before the paths, such as `/api`. */
  prefix?: string;
  /** Tests that replace those of a column. */
  differences?: Partial<Record<CommonColumn, Difference>>;
  /** Further tests with the same program, before the one that ends it. */
  more?: (check: Check, program: () => Program) => void;
}

export type CommonColumn = (typeof TESTS)[number]['column'];

type CommonTest = (to: { program: Program; prefix: string }) => Promise<void>;

/**
 * What each framework must do, by the column of the table. A program has these routes, behind a middleware that sets the
 * header `x-middleware: yes`:
 *
 * - `/echo`: answers HTTP with the parameter `message`, and each message with itself
 * - `/secret`: answers 401 without the header `Authorization`; otherwise like `/echo`
 * - `/once`: sends back the first message, and returns
 * - `/fail`: throws `new Error('boom')`; the error handling of the framework prints `failed: boom`
 *
 * It closes its server at SIGTERM, and prints its URL when it listens.
 */
const TESTS = [
  {
    column: 'HTTP and echo',
    sentence: 'one route answers HTTP and a websocket',
    run: async ({ program, prefix }) => {
      const response = await get(program, `${prefix}/echo?message=hello`);
      expect(await response.text()).toBe('hello');
      expect(response.status).toBe(200);
      const client = await connect(program, `${prefix}/echo`);
      client.send('first', 'second', Buffer.from([0, 1, 255]));
      expect(await client.take(3)).toEqual(['first', 'second', Buffer.from([0, 1, 255])]);
      expect((await client.close(1000)).code).toBe(1000);
    },
  },
  {
    column: 'headers',
    sentence: 'the 101 has the headers that middleware has set',
    run: async ({ program, prefix }) => {
      const client = await connect(program, `${prefix}/echo`);
      expect(client.headers['x-middleware']).toBe('yes');
    },
  },
  {
    column: '401',
    sentence: 'a guard refuses before the 101, and lets others in',
    run: async ({ program, prefix }) => {
      expect((await get(program, `${prefix}/secret`)).status).toBe(401);
      await expect(connect(program, `${prefix}/secret`)).rejects.toThrow('with 401');
      const client = await connect(program, `${prefix}/secret`, { headers: { authorization: 'Bearer a' } });
      client.send('hello');
      expect(await client.next()).toBe('hello');
    },
  },
  {
    column: '1000',
    sentence: 'a handler that returns closes with 1000',
    run: async ({ program, prefix }) => {
      expect((await get(program, `${prefix}/once`)).status).toBe(400);
      const client = await connect(program, `${prefix}/once`);
      client.send('hello');
      expect(await client.next()).toBe('hello');
      expect((await client.closed()).code).toBe(1000);
    },
  },
  {
    column: '1011',
    sentence:
      'a handler that throws closes with 1011, and the error handling of the framework gets the error',
    run: async ({ program, prefix }) => {
      const client = await connect(program, `${prefix}/fail`);
      const { code, reason } = await client.closed();
      expect(code).toBe(1011);
      expect(reason).not.toContain('boom');
      await program.printed(/failed: boom/);
      // It still serves.
      expect((await get(program, `${prefix}/echo?message=alive`)).status).toBe(200);
    },
  },
  {
    column: '404',
    sentence: 'an unknown path is answered with 404',
    run: async ({ program, prefix }) => {
      await expect(connect(program, `${prefix}/nowhere`)).rejects.toThrow('with 404');
    },
  },
  {
    column: '403',
    sentence: 'a page of another site is answered with 403, and one of this site is let in',
    run: async ({ program, prefix }) => {
      const visit = (origin: string) => connect(program, `${prefix}/echo`, { headers: { origin } });
      await expect(visit('https://evil.example')).rejects.toThrow('with 403');
      await visit(`http://127.0.0.1:${program.port}`);
    },
  },
  {
    column: '1 MiB',
    sentence: 'messages of 1 MiB arrive whole',
    run: async ({ program, prefix }) => {
      const client = await connect(program, `${prefix}/echo`);
      const bytes = randomBytes(2 ** 20);
      const text = bytes.toString('hex').slice(0, 2 ** 20);
      client.send(text, bytes);
      expect((await client.next()) === text).toBe(true);
      expect(((await client.next()) as Buffer).equals(bytes)).toBe(true);
    },
  },
  {
    column: 'SIGTERM',
    sentence: 'SIGTERM closes open websockets with 1001, and the process ends with 0',
    run: async ({ program, prefix }) => {
      const client = await connect(program, `${prefix}/echo`);
      const ended = program.stop('SIGTERM');
      expect((await client.closed()).code).toBe(1001);
      expect(await ended).toEqual({ code: 0, signal: null });
    },
  },
] as const satisfies readonly { column: string; sentence: string; run: CommonTest }[];

/** Defines the tests that each framework must pass, in the order of the columns. They share one program. */
export function describeCommonCheck(
  subject: Subject,
  start: () => Promise<Program>,
  { prefix = '', differences = {}, more }: CommonCheckOptions = {},
): void {
  describe(subject.name, () => {
    const check = checksOf(subject);
    let program: Program | undefined;
    const running = () => {
      if (program === undefined) throw new Error(`${subject.name} did not start`);
      return program;
    };
    beforeAll(async () => {
      program = await start();
    });
    afterAll(() => program?.kill());
    const define = ({ column, sentence, run }: (typeof TESTS)[number]) => {
      const other = differences[column];
      check(column, sentence, (see) =>
        other === undefined ? run({ program: running(), prefix }) : other(running(), see),
      );
    };
    for (const each of TESTS) {
      // The test that ends the program comes last.
      if (each.column === 'SIGTERM') more?.(check, running);
      define(each);
    }
  });
}

/** The first answer of a program, without following redirections. */
function get({ port }: Program, path: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'manual' });
}
