import { describe, expect, onTestFinished, test } from 'vitest';
import { requirement } from '../../test/support/requirements.js';
import { chromium, converseInPage, firefox } from './support/browsers.js';
import { describeConversation } from './support/conversation.js';
import {
  apacheHttp2,
  apacheWithH2WebSockets,
  caddyHttp2,
  haproxyHttp2,
  nghttpxHttp2,
  nginxHttp2,
  subjectOf,
} from './support/proxies.js';
import { startProxy } from './support/proxy.js';
import { startServer } from './support/server.js';

const browsers = [chromium, firefox].filter(({ name, version }) => requirement(name, version !== ''));
const proxies = [nginxHttp2, haproxyHttp2, caddyHttp2, apacheHttp2, nghttpxHttp2].filter(
  ({ name, version }) => requirement(name, version !== ''),
);

/** What pages see: the specification of `WebSocket` hides the response from them. */
const SEEN = {
  refusal: '`1006`, no status',
  loss: '`1006`',
  compression: 'both ways',
  pings: 'answers',
} as const;

for (const browser of browsers) {
  for (const over of ['http', 'https', 'http2'] as const)
    describeConversation({
      ...SEEN,
      name: browser.name,
      version: browser.version,
      over,
      converse: (server) =>
        converseInPage(browser, server, `${over === 'http' ? 'http' : 'https'}://127.0.0.1:${server.port}`),
    });
  for (const proxy of proxies)
    describeConversation({
      ...SEEN,
      name: browser.name,
      version: browser.version,
      through: { subject: subjectOf(proxy), http2: proxy.http2 },
      async converse(server) {
        const running = await startProxy(proxy, server.port);
        try {
          return await converseInPage(browser, server, `https://127.0.0.1:${running.port}`);
        } finally {
          await running.stop();
        }
      },
    });
}

describe.runIf(browsers.includes(chromium) && proxies.includes(apacheHttp2))('H2WebSockets of Apache', () => {
  test('tells the client of a lost connection only after Timeout, as the page says', async () => {
    const server = await startServer();
    onTestFinished(() => server.close());
    const running = await startProxy(apacheWithH2WebSockets, server.port);
    onTestFinished(() => running.stop());
    const conversation = converseInPage(chromium, server, `https://127.0.0.1:${running.port}`);
    const lost = (async () => {
      while ((await server.visits.next('lost websocket', 90_000)).path !== '/lost');
      return performance.now();
    })();
    const [steps, before] = await Promise.all([conversation, lost]);
    expect(steps.find(({ step }) => step === 'lost')).toMatchObject({ code: 1006 });
    expect(performance.now() - before).toBeGreaterThan(4_500);
  });
});
