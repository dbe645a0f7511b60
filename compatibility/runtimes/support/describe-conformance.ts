import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { WebsocketOptions } from 'dwebsocket';
import type { Data, Section } from '../../../test/conformance/case.js';
import { handshakeSections, sections } from '../../../test/conformance/cases/index.js';
import { greet } from '../../../test/conformance/greet.js';
import { deliveries, fits, talk } from '../../../test/conformance/talk.js';
import type { Account, Target } from '../../../test/conformance/target.js';
import { startProgram } from '../../support/program.js';
import { checksOf } from '../../support/subject.js';
import { folder, isInstalled, type Runtime } from './runtimes.js';

const COLUMN = 'conformance';

export interface ConformanceOptions {
  /** The names of cases that fail because of the runtime. They must fail, so that a better version is noticed. */
  except?: readonly string[];
  /** What the table says then. */
  says?: string;
}

/** Runs the whole conformance suite against a server on a runtime. */
export function describeConformance(
  runtime: Runtime,
  { except = [], says = 'yes' }: ConformanceOptions = {},
): void {
  const check = checksOf(runtime);
  describe.runIf(isInstalled(runtime))(`conformance on ${runtime.name}`, () => {
    for (const { name, options, cases } of sections) {
      describe(name, () => {
        const target = useTarget(runtime, options);
        for (const delivery of deliveries) {
          for (const row of cases.filter((each) => fits(each, delivery)))
            check(COLUMN, `${row.name} (${delivery})`, async (see) => {
              if (!except.includes(row.name)) return talk(target(), row, delivery);
              await expect(talk(target(), row, delivery)).rejects.toThrow();
              see(says);
            });
        }
      });
    }
    for (const { name, options, cases } of handshakeSections) {
      describe(name, () => {
        const target = useTarget(runtime, options);
        for (const row of cases) check(COLUMN, row.name, () => greet(target(), row));
      });
    }
  });
}

function useTarget(runtime: Runtime, options: Section['options']): () => Target {
  let target: Target | undefined;
  beforeAll(async () => {
    target = await openTarget(runtime, options);
  });
  afterAll(() => target?.stop());
  return () => {
    if (target === undefined) throw new Error(`${runtime.name} did not start`);
    return target;
  };
}

async function openTarget(runtime: Runtime, options: WebsocketOptions = {}): Promise<Target> {
  const program = await startProgram([...runtime.command, `${folder}conformance-app.mjs`], {
    cwd: folder,
    env: { OPTIONS: JSON.stringify(options) },
  });
  return {
    port: program.port,
    account: (id) => fetchAccount(program.port, id),
    stop: () => program.kill(),
  };
}

interface AccountText {
  readonly received: readonly ({ text: string } | { base64: string })[];
  readonly closed: { code: number; reason: string };
}

async function fetchAccount(port: number, id: string): Promise<Account> {
  const response = await fetch(`http://127.0.0.1:${port}/account?id=${id}`);
  if (response.status !== 200) throw new Error(`no websocket ${id} has reached the handler`);
  const { received, closed } = (await response.json()) as AccountText;
  return {
    received: received.map((message): Data =>
      'text' in message ? message.text : Buffer.from(message.base64, 'base64'),
    ),
    closed: Promise.resolve(closed),
  };
}
