import { expect } from 'vitest';
import { connect } from '../../../test/support/client.js';
import { describeCommonCheck, type CommonCheckOptions } from '../../support/common-check.js';
import type { Program } from '../../support/program.js';
import type { Subject } from '../../support/subject.js';
import { startSection } from './section.js';

interface FrameworkOptions extends CommonCheckOptions {
  /** Starts the program. By default, the program of the section. */
  start?: () => Promise<Program>;
  /** The names of packages in the section, with the names under which package.json installs them. */
  aliases?: Record<string, string>;
  /** Whether the program prints the path and the status of each request that has ended. */
  logs?: boolean;
}

/** Defines the common check of the program in a section of docs/frameworks.md, and what else each of them must do. */
export function describeFramework(
  subject: Subject,
  anchor: string,
  { start, aliases, logs = false, more, ...options }: FrameworkOptions = {},
): void {
  const startProgram = start ?? (() => startSection(anchor, aliases === undefined ? {} : { aliases }));
  describeCommonCheck(subject, startProgram, {
    ...options,
    more(check, program) {
      check('1011', 'the error handling answers a route that fails over HTTP', async () => {
        const response = await fetch(`http://127.0.0.1:${program().port}/fail`);
        expect(response.status).toBe(500);
        await response.text();
      });
      check('1000', 'the server serves on when a client has vanished', async () => {
        const lost = await connect(program(), '/echo');
        lost.send('hello');
        await lost.next();
        await lost.vanish();
        const client = await connect(program(), '/echo');
        client.send('hello');
        expect(await client.next()).toBe('hello');
      });
      if (logs)
        check('1000', 'the log comes when the websocket has ended', async () => {
          const ended = () => program().lines.filter((line) => line === '/echo?logged 101');
          const client = await connect(program(), '/echo?logged');
          client.send('hello');
          await client.next();
          expect(ended()).toEqual([]);
          await client.close(1000);
          await expect.poll(() => ended().length).toBe(1);
        });
      more?.(check, program);
    },
  });
}
