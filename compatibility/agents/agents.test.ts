import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { connect } from '../../test/support/client.js';
import { readDocument } from '../../test/docs/document.js';
import type { Program } from '../support/program.js';
import { checksOf, type Subject } from '../support/subject.js';
import { AGENTS, type Agent } from './support/agents.js';
import { hasNode22 } from './support/node.js';
import type { Report, Span } from './support/report.js';
import { visit, type Visit } from './support/visit.js';
import { watchApp, type Watched } from './support/watch-app.js';

interface Case extends Subject {
  readonly agent: Agent;
  /** What the table says of a handler that fails. */
  readonly error: string;
  /** What excludes websockets from what the agent reports. */
  readonly exclude: string;
  /** Whether an error that is reported names its user, from whatever route. */
  readonly hasUser: boolean;
}

const CASES: readonly Case[] = [
  {
    name: 'OpenTelemetry',
    packages: ['@opentelemetry/sdk-node', '@opentelemetry/instrumentation-express'],
    needs: 'in ES modules, [its hook](#opentelemetry)',
    agent: AGENTS.opentelemetry,
    error: "an exception on the handler's span",
    exclude:
      '`new HttpInstrumentation({ ignoreIncomingRequestHook: (req) => req.headers.upgrade !== undefined })`',
    hasUser: false,
  },
  {
    name: 'Sentry',
    packages: ['@sentry/node'],
    needs: 'for errors, `setupExpressErrorHandler`',
    agent: AGENTS.sentry,
    error: 'one event, with its user',
    exclude:
      '`httpIntegration({ ignoreIncomingRequests: (_url, req) => req.headers.upgrade !== undefined })`',
    hasUser: true,
  },
  {
    name: 'Datadog',
    packages: ['dd-trace'],
    needs: 'for errors, [a hook](#datadog)',
    agent: AGENTS.datadog,
    error: 'the span has failed, with the error and its user',
    exclude: "`tracer.use('http', { server: { blocklist: [/^\\/chat/] } })` and `tracer.use('ws', false)`",
    hasUser: true,
  },
  {
    name: 'New Relic',
    packages: ['newrelic'],
    agent: AGENTS.newrelic,
    error: 'one error, with its user',
    exclude: "`rules: { ignore: ['^/chat/'] }` in `newrelic.js`",
    hasUser: true,
  },
  {
    name: 'Elastic APM',
    packages: ['elastic-apm-node'],
    agent: AGENTS.elastic,
    error: 'one error',
    exclude: '`ignoreUrls: [/^\\/chat/]`',
    hasUser: false,
  },
];

for (const { agent, error, exclude, hasUser, ...subject } of CASES) {
  describe.runIf(hasNode22)(subject.name, () => {
    const check = checksOf(subject);
    let watched: Watched<Visit> | undefined;
    const seen = () => {
      if (watched === undefined) throw new Error('the app did not run');
      return watched;
    };

    test('the app works as without an agent, and no request stays in memory', async () => {
      watched = await watchApp(agent, visit);
    });

    check('a websocket is', 'a websocket is one request with the name of its route', (see) => {
      const [ada, bob, ...others] = requestsTo(seen().report, '/chat/lobby');
      expect(others).toEqual([]);
      expect(ada?.name).toContain('/chat/:room');
      expect([ada?.name, ada?.status, ada?.failed]).toEqual([bob?.name, '101', false]);
      see(`\`${ada?.name ?? ''}\`, ${ada?.status ?? ''}`);
    });

    check('it lasts', 'it lasts as long as the websocket', (see) => {
      const { report, result } = seen();
      for (const user of ['ada', 'bob'] as const) {
        expect(requestOf(report, result, user).duration).toBeGreaterThanOrEqual(result.open[user] - 1);
      }
      see('until the websocket has ended');
    });

    check('its context', 'the handler keeps the trace of its own request, also after await', (see) => {
      const { report, result } = seen();
      for (const user of ['ada', 'bob'] as const) {
        const { trace } = requestOf(report, result, user);
        expect(result.traces[user]).toEqual([trace, trace, trace]);
        // The requests that the handler has made, as the app has received them.
        const made = report.spans.filter((span) => span.trace === trace && span.url === '/plain');
        expect(made).toHaveLength(3);
      }
      expect(result.traces.ada[0]).not.toBe(result.traces.bob[0]);
      see('in the handler, after each `await`');
    });

    check('a handler that fails', 'an error of a handler is reported once, with its request', (see) => {
      const { report } = seen();
      expect(requestsTo(report, '/fail').map(({ status }) => status)).toEqual(['101']);
      // The same as for a route without a websocket.
      for (const [path, message, user] of [
        ['/plain/fail', 'a plain route has failed', 'carol'],
        ['/fail', 'the handler has failed', 'mallory'],
      ] as const) {
        const [request] = requestsTo(report, path);
        expect(report.errors.filter((each) => each.message === message)).toEqual([
          { message, trace: request?.trace, user: hasUser ? user : undefined },
        ]);
      }
      see(error);
    });

    test('a handshake that the app refuses is a request with its status', () => {
      const { report } = seen();
      expect(requestsTo(report, '/private').map(({ status }) => status)).toEqual(['401']);
      expect(requestsTo(report, '/nowhere').map(({ status }) => status)).toEqual(['404']);
    });

    check('open at SIGTERM', 'a websocket that is open at SIGTERM is reported, too', () => {
      expect(requestsTo(seen().report, '/chat/late').map(({ status }) => status)).toEqual(['101']);
    });

    test('every span ends: no parent is missing', () => {
      const { spans } = seen().report;
      const ids = new Set(spans.map(({ id }) => id));
      expect(spans.filter(({ parent }) => parent !== undefined && !ids.has(parent))).toEqual([]);
    });

    test('an app of ES modules is seen in the same way', async () => {
      const { report, result: trace } = await watchApp(agent, talk, {}, 'app.mjs');
      const [request, ...others] = requestsTo(report, '/chat/lobby');
      expect(others).toEqual([]);
      expect(request).toMatchObject({ status: '101', trace, failed: false });
      expect(request?.name).toContain('/chat/:room');
    });

    check('exclude websockets', 'websockets can be excluded', async (see) => {
      const { report } = await watchApp(agent, talk, { EXCLUDE: 'yes', ...agent.exclude });
      expect(requestsTo(report, '/plain').length).toBeGreaterThan(0);
      expect(
        report.spans.filter(({ url, name }) => url?.startsWith('/chat') || /chat|websocket/.test(name)),
      ).toEqual([]);
      see(exclude);
    });
  });
}

describe.runIf(hasNode22)('the instrumentations of ws', () => {
  test("Datadog's adds spans for the handshake and the close, with the whole path", async () => {
    const { report } = await watchApp(AGENTS.datadog, talk);
    const [{ trace } = { trace: '' }] = requestsTo(report, '/chat/lobby');
    const steps = report.spans.filter(({ name }) => /^web\.request |^websocket\./.test(name));
    expect(steps.map(({ name }) => name)).toContain('web.request GET /chat/lobby');
    expect(steps.filter((step) => step.trace === trace).map(({ name }) => name)).toEqual([
      'websocket.close websocket /chat/lobby',
    ]);
  });

  test('opentelemetry-instrumentation-ws adds a span for the handshake, with the whole path', async () => {
    const { report } = await watchApp(AGENTS.opentelemetry, talk, { INSTRUMENT_WS: 'yes' });
    const [{ trace } = { trace: '' }] = requestsTo(report, '/chat/lobby');
    const [upgrade, ...others] = report.spans.filter(({ name }) => name.startsWith('WS '));
    expect(others).toEqual([]);
    expect(upgrade).toMatchObject({ name: 'WS upgrade', trace, url: '/chat/lobby?user=ada' });
  });
});

test.for([
  ['datadog', 'datadog.cjs'],
  ['opentelemetry', 'opentelemetry.cjs'],
])('the code of docs/observability.md#%s is what these tests run', ([anchor, file]) => {
  const { blocks } = readDocument('docs/observability.md');
  const parts = blocks.filter((block) => block.anchor === anchor).flatMap(({ code }) => code.split('\n\n'));
  const started = readFileSync(new URL(`./agents/${file}`, import.meta.url), 'utf8');
  expect(parts.length).toBeGreaterThan(0);
  expect(parts.filter((part) => !started.includes(part))).toEqual([]);
});

/** Talks on one websocket, and ends the app. Resolves with the trace that the handler has seen. */
async function talk(app: Program): Promise<string | null> {
  await (await fetch(`http://127.0.0.1:${app.port}/plain`)).text();
  const client = await connect(app, '/chat/lobby?user=ada');
  client.send('hello');
  const { message, store, trace } = JSON.parse(String(await client.next())) as Record<string, string | null>;
  expect([message, store]).toEqual(['hello', 'ada']);
  await client.close(1000);
  expect(await app.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  return trace ?? null;
}

function requestsTo({ spans }: Report, path: string): Span[] {
  return spans.filter(({ url }) => url?.replace(/\?.*/, '') === path);
}

/** The request of ada or bob, by the trace that the handler has seen. */
function requestOf(report: Report, { traces }: Visit, user: 'ada' | 'bob'): Span {
  const request = requestsTo(report, '/chat/lobby').find(({ trace }) => trace === traces[user][0]);
  if (request === undefined) throw new Error(`no request has the trace that the handler of ${user} has seen`);
  return request;
}
