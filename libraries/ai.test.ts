import { simulateReadableStream } from 'ai';
import { MockLanguageModelV4, MockProviderV4 } from 'ai/test';
import { expect, onTestFinished, test, vi } from 'vitest';
import { connect } from '../test/support/client.js';
import { defer, within } from '../test/support/inbox.js';
import { serveBlock } from './support/serve-library.js';

type Stream = Awaited<ReturnType<MockLanguageModelV4['doStream']>>['stream'];
type Provider = NonNullable<typeof globalThis.AI_SDK_DEFAULT_PROVIDER>;
type Part = Stream extends ReadableStream<infer P> ? P : never;

const text = (...deltas: string[]): Part[] => deltas.map((delta) => ({ type: 'text-delta', id: '1', delta }));
const BEGIN: Part[] = [
  { type: 'stream-start', warnings: [] },
  { type: 'text-start', id: '1' },
];
const END: Part[] = [
  { type: 'text-end', id: '1' },
  {
    type: 'finish',
    finishReason: { unified: 'stop', raw: undefined },
    usage: {
      inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
      outputTokens: { total: 2, text: 2, reasoning: undefined },
    },
  },
];

/** Serves the block with a model that answers with a stream. */
async function open(answer: (prompt: string) => ReadableStream<Part>) {
  const aborted = defer<unknown>();
  const model = new MockLanguageModelV4({
    doStream: ({ prompt, abortSignal }) => {
      abortSignal?.addEventListener('abort', () => {
        aborted.resolve(abortSignal.reason);
      });
      const [{ content }] = prompt as unknown as [{ content: [{ text: string }] }];
      return Promise.resolve({ stream: answer(content[0].text) });
    },
  });
  const languageModels = { 'openai/gpt-5-mini': model };
  globalThis.AI_SDK_DEFAULT_PROVIDER = new MockProviderV4({ languageModels }) as Provider;
  onTestFinished(() => {
    globalThis.AI_SDK_DEFAULT_PROVIDER = undefined;
  });
  const site = await serveBlock('ai-sdk');
  const ask = async (question: string) => {
    const client = await connect({ port: site.port, tls: false }, '/ask');
    client.send(question);
    return client;
  };
  return { site, ask, aborted: () => within(aborted.promise, 'abort') };
}

/** A stream that begins, and then waits for more. */
const endless = () =>
  new ReadableStream<Part>({
    start(controller) {
      for (const part of [...BEGIN, ...text('Once')]) controller.enqueue(part);
    },
  });

test('each piece of the answer is a message, and the end closes with 1000', async () => {
  const { site, ask } = await open((prompt) =>
    simulateReadableStream({ chunks: [...BEGIN, ...text('You asked: ', prompt, '日本語'), ...END] }),
  );
  const client = await ask('Why?');
  expect(await client.take(3)).toEqual(['You asked: ', 'Why?', '日本語']);
  expect((await client.closed()).code).toBe(1000);
  await site.expectQuiet();
});

test.each([
  ['closes', (client: { close(): Promise<unknown> }) => client.close()],
  ['loses its connection', (client: { vanish(): Promise<unknown> }) => client.vanish()],
])('the model stops when the client %s', async (_how, leave) => {
  const { site, ask, aborted } = await open(endless);
  const client = await ask('Tell a story.');
  expect(await client.next()).toBe('Once');
  await leave(client as never);
  expect(await aborted()).toMatchObject({ code: 'ERR_WEBSOCKET_CLOSED' });
  await site.expectQuiet();
});

test('a model waits for a client that does not read', async () => {
  let pulled = 0;
  const { site, ask } = await open(
    () =>
      new ReadableStream<Part>({
        start(controller) {
          for (const part of BEGIN) controller.enqueue(part);
        },
        pull(controller) {
          pulled++;
          for (const part of text('x'.repeat(100_000))) controller.enqueue(part);
        },
      }),
  );
  const client = await ask('Go on for ever.');
  await client.next();
  client.ws.pause();
  let before = -1;
  await expect
    .poll(
      () => {
        const isSteady = pulled === before;
        before = pulled;
        return isSteady;
      },
      { interval: 500 },
    )
    .toBe(true);
  expect(pulled).toBeLessThan(500);
  await client.vanish();
  await site.expectQuiet();
});

test('a model that fails closes with 1011, after what it has said', async () => {
  const logged = vi.spyOn(console, 'error').mockReturnValue();
  const { site, ask } = await open(() => {
    const chunks: Part[] = [...BEGIN, ...text('Once'), { type: 'error', error: new Error('overloaded') }];
    return simulateReadableStream({ chunks });
  });
  const client = await ask('Tell a story.');
  expect(await client.next()).toBe('Once');
  expect((await client.closed()).code).toBe(1011);
  expect(logged.mock.calls).toEqual([[new Error('overloaded')]]);
  await site.expectQuiet();
});

test('clients see 1001 at shutdown, and the model stops', async () => {
  const { site, ask, aborted } = await open(endless);
  const client = await ask('Tell a story.');
  await client.next();
  await site.shutDown();
  expect((await client.closed()).code).toBe(1001);
  expect(await aborted()).toMatchObject({ closeCode: 1001 });
  await site.expectQuiet();
});

test('a client that leaves without a question asks no model', async () => {
  const { site } = await open(() => {
    throw new Error('asked');
  });
  const client = await connect({ port: site.port, tls: false }, '/ask');
  await client.close();
  await site.expectQuiet();
});
