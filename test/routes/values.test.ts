import { describe, expect, test } from 'vitest';
import {
  acceptWebsocket,
  requireWebsocket,
  websocketMiddleware,
  withDefaults,
  type Websocket,
} from 'dwebsocket';
import { connect } from '../support/client.js';
import { FRAMEWORKS } from '../support/frameworks.js';
import { Inbox } from '../support/inbox.js';
import { request } from '../support/request.js';
import { schemaOf, textSchema } from '../support/schemas.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

const upperCase = schemaOf((value) => ({ value: String(value).toUpperCase() }));

/** Answers each message with a list of it. */
const answer = async ({ websocket }: { websocket: Websocket<unknown, unknown> }): Promise<void> => {
  for await (const value of websocket) websocket.send([value]);
};

describe.for(FRAMEWORKS)('on %s', ([, build]) => {
  test('a route with values serves both protocols', async () => {
    const { route, app } = build();
    route(
      '/',
      acceptWebsocket(
        async (req, res) => {
          if (!req.isWebsocket()) {
            (res as unknown as { end(text: string): void }).end('a page');
            return;
          }
          await answer(req);
        },
        { messages: upperCase },
      ),
    );
    const site = await serve(app);
    expect((await request(site, '/')).body).toBe('a page');
    const client = await connect(site);
    client.send('"hello"', '[1,2]');
    expect(await client.take(2)).toEqual(['["HELLO"]', '["1,2"]']);
  });

  test('a bad message ends the handler, and the error handlers hear nothing of it', async () => {
    const { route, onError, app } = build();
    const [errors, ended] = [new Inbox(), new Inbox()];
    route(
      '/',
      requireWebsocket(
        async (req) => {
          await answer(req);
          ended.push('in order');
        },
        { messages: textSchema },
      ),
    );
    onError((error) => errors.push(error));
    const client = await connect(await serve(app));
    client.send('1');
    expect((await client.closed()).code).toBe(1007);
    expect(await ended.next()).toBe('in order');
    expect(errors.rest()).toEqual([]);
  });
});

describe('withDefaults', () => {
  const {
    requireWebsocket: requireJson,
    acceptWebsocket: acceptJson,
    websocketMiddleware: middleware,
  } = withDefaults({
    messages: 'json',
    sends: schemaOf<unknown[]>((value) =>
      Array.isArray(value) ? { value } : { issues: [{ message: 'expected a list' }] },
    ),
    invalid: (issues, websocket) => websocket.send([issues[0]?.message]),
  });

  test('gives its options to the routes', async () => {
    for (const route of [
      requireJson(answer),
      acceptJson((req) => answer(req as never)),
      requireJson(answer, { maxPayload: 100 }),
    ]) {
      const client = await connect(await serve(route));
      client.send('{"a":1}', 'no JSON');
      expect(await client.next()).toBe('[{"a":1}]');
      expect(await client.next()).toContain('JSON');
    }
    const warnings = watchWarnings();
    const failing = await connect(await serve(requireJson((req) => req.websocket.send('no list'))));
    expect((await failing.closed()).code).toBe(1011);
    expect((await warnings.next()).message).toContain('does not fit the option "sends": expected a list');
  });

  test('a route may have another schema, and keeps the other options', async () => {
    const client = await connect(await serve(requireJson(answer, { messages: textSchema })));
    client.send('1', '"a"');
    expect(await client.take(2)).toEqual(['["expected a text"]', '["a"]']);
    const sending = requireJson((req) => req.websocket.send('a text'), { sends: textSchema });
    expect(await (await connect(await serve(sending))).next()).toBe('"a text"');
  });

  test('a route may have text, and none of the options for values', async () => {
    const route = requireJson(
      async (req) => {
        for await (const text of req.websocket) req.websocket.send(text);
      },
      { messages: 'text' },
    );
    const client = await connect(await serve(route));
    client.send('no JSON');
    expect(await client.next()).toBe('no JSON');
  });

  test('serves routes behind its middleware, too', async () => {
    const [, build] = FRAMEWORKS[0]!;
    const { use, route, app } = build();
    use(middleware({ acceptAll: true }));
    route('/', async (req, res) => {
      await answer(req as never);
      res.end();
    });
    const client = await connect(await serve(app));
    client.send('"a"');
    expect(await client.next()).toBe('["a"]');
    await client.close();
  });
});

test.for([
  ['requireWebsocket', (options: never) => requireWebsocket(answer as never, options)],
  ['acceptWebsocket', (options: never) => acceptWebsocket(answer as never, options)],
  ['websocketMiddleware', (options: never) => websocketMiddleware(options)],
  ['withDefaults', (options: never) => withDefaults(options)],
  [
    'a route of withDefaults',
    (options: never) => withDefaults({}).requireWebsocket(answer as never, options),
  ],
  [
    'a route of withDefaults that has no values',
    (options: object) =>
      withDefaults({ messages: 'json' }).requireWebsocket(
        answer as never,
        { messages: 'both', ...options } as never,
      ),
  ],
] as const)('%s refuses options for values without values, and says what to add', ([, wrap]) => {
  const rule = "must be used together with messages: 'json' or a schema (messages is 'both' here)";
  expect(() => wrap({ sends: textSchema } as never)).toThrow(`option "sends" ${rule}; got an object`);
  expect(() => wrap({ invalid: answer } as never)).toThrow(
    `option "invalid" ${rule}; got the function answer`,
  );
});
