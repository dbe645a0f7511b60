import { spawnSync } from 'node:child_process';
import { expect, onTestFinished, test, vi } from 'vitest';
import { PlatformWebSocket } from '../client/support/open-client.js';
import { connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { request, requestUpgrade } from '../support/request.js';
import { readDocument } from './document.js';
import { runBlock, runInBrowser } from './run-block.js';
import { openDocument } from './scenario.js';

const readme = openDocument('README.md');

test('the first screen has five points, the installation, the example and the chart, in this order', () => {
  const { text } = readDocument('README.md');
  const firstScreen = text.split('\n').slice(0, 40).join('\n');
  expect(firstScreen.match(/^- \*\*/gm)).toHaveLength(5);
  const parts = ['\n- **', 'npm install express dwebsocket', "app.get('/echo'", '(docs/benchmark.svg)'];
  const positions = parts.map((part) => firstScreen.indexOf(part));
  expect(positions).not.toContain(-1);
  expect(positions).toEqual(positions.toSorted((a, b) => a - b));
});

test('what a visitor asks next has a heading each, in this order', () => {
  const { text } = readDocument('README.md');
  const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
  const wanted = [
    'What a handler can do',
    'In a fresh clone',
    'Coming from …',
    'Limits',
    'When not to use it',
  ];
  expect(headings.filter((heading) => wanted.includes(heading ?? ''))).toEqual(wanted);
});

test('the two commands of a fresh clone stand alone under their heading, and the top leads to it', () => {
  expect(readme.find('in-a-fresh-clone', 'sh').code).toMatch(/^npm start .*\nnpm test .*$/);
  const [top = ''] = readDocument('README.md').text.split('\n## ');
  expect(top).toContain('(#in-a-fresh-clone)');
});

test('the first example serves both protocols', async () => {
  const { site } = await readme.run('dwebsocket');
  expect((await request(site, '/echo?message=hello')).body).toBe('hello');
  const client = await connect(site, '/echo');
  client.send('hello', Buffer.from([1, 2, 3]));
  expect(await client.take(2)).toEqual(['hello', Buffer.from([1, 2, 3])]);
});

test('the first example runs as JavaScript, too, in the file that the page names', () => {
  const { code } = readme.find('dwebsocket', 'ts');
  const check = spawnSync(process.execPath, ['--input-type=module', '--check', '-'], { input: code });
  expect(check.stderr.toString()).toBe('');
  expect(check.status).toBe(0);
});

test('a browser gets its message back', async () => {
  const { site } = await readme.run('dwebsocket');
  expect(await runInBrowser(readme.find('in-a-browser', 'js'), site)).toBe('Hello, World!');
});

test('the second example shouts in JSON, its clock ticks, and its quiz asks', async () => {
  const { site } = await readme.run('what-a-handler-can-do');
  expect((await requestUpgrade(site, '/clock', { upgrade: 'h2c' })).status).toBe(404);
  expect((await request(site, '/guess')).status).toBe(400);
  const shout = await connect(site, '/shout');
  shout.send('{"text":"hello"}', '{"text":42}');
  expect(await shout.next()).toBe('{"text":"HELLO"}');
  expect(await shout.closed()).toMatchObject({ code: 1007 });
  const clock = await connect(site, '/clock/UTC');
  expect(await clock.next()).toMatch(/^\d+:\d\d:\d\d/);
  const guess = await connect(site, '/guess');
  expect(await guess.next()).toMatch('Which port');
  guess.send('443');
  expect(await guess.next()).toBe('Right.');
});

test('the client that reconnects prints what /shout answers', async () => {
  const { site } = await readme.run('what-a-handler-can-do');
  const printed = new Inbox<unknown>();
  const log = vi.spyOn(console, 'log').mockImplementation((message) => {
    printed.push(message);
  });
  // Node 20 has none.
  vi.stubGlobal('WebSocket', PlatformWebSocket);
  onTestFinished(() => {
    log.mockRestore();
    vi.unstubAllGlobals();
  });
  const block = readme.find('a-client-that-reconnects', 'js');
  const code = `${block.code.replace(':8000', `:${site.port}`)}\nexport { socket };`;
  const { exports } = await runBlock({ ...block, code });
  onTestFinished(() => (exports.socket as { close(): Promise<void> }).close());
  expect(await printed.next()).toBe('HELLO');
});

readme.testCompleteness();
