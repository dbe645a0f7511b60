import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { request, requestUpgrade } from '../support/request.js';
import { readDocument } from './document.js';
import { runInBrowser } from './run-block.js';
import { openDocument } from './scenario.js';

const readme = openDocument('README.md');

test('its first screen has the example, the installation, the two commands, and when not to use it', () => {
  const firstScreen = readDocument('README.md').text.split('\n').slice(0, 40).join('\n');
  for (const part of [
    'app.get(',
    'npm install express dwebsocket',
    'npm start',
    'npm test',
    'When not to use it',
  ]) {
    expect(firstScreen).toContain(part);
  }
});

test('the first example serves both protocols', async () => {
  const { site } = await readme.run('dwebsocket');
  expect((await request(site, '/echo?message=hello')).body).toBe('hello');
  const client = await connect(site, '/echo');
  client.send('hello', Buffer.from([1, 2, 3]));
  expect(await client.take(2)).toEqual(['hello', Buffer.from([1, 2, 3])]);
});

test('the first example is JavaScript, too, as it is told to be saved', () => {
  const { code } = readme.find('dwebsocket', 'ts');
  const check = spawnSync(process.execPath, ['--input-type=module', '--check', '-'], { input: code });
  expect(check.stderr.toString()).toBe('');
  expect(check.status).toBe(0);
});

test('a browser gets its message back', async () => {
  const { site } = await readme.run('dwebsocket');
  expect(await runInBrowser(readme.find('in-a-browser', 'js'), site)).toBe('Hello, World!');
});

test('the second example tells the time, and asks', async () => {
  const { site } = await readme.run('what-a-handler-can-do');
  expect((await requestUpgrade(site, '/clock', { upgrade: 'h2c' })).status).toBe(404);
  expect((await request(site, '/guess')).status).toBe(400);
  const clock = await connect(site, '/clock/UTC');
  expect(await clock.next()).toMatch(/^\d+:\d\d:\d\d/);
  const guess = await connect(site, '/guess');
  expect(await guess.next()).toMatch('Which port');
  guess.send('443');
  expect(await guess.next()).toBe('Right.');
});

test('in Chinese its code is the same, and so are its headings and tables in number', () => {
  const [english, chinese] = [readDocument('README.md'), readDocument('README.zh-CN.md')];
  const codeOf = ({ blocks }: typeof english) => blocks.map(({ language, code }) => ({ language, code }));
  const shapeOf = ({ text }: typeof english) =>
    text.split('\n').flatMap((line) => /^(#+|\|)/.exec(line)?.[0] ?? []);
  expect(codeOf(chinese)).toEqual(codeOf(english));
  expect(shapeOf(chinese)).toEqual(shapeOf(english));
});

test('in Chinese it leads to the same pages', () => {
  const [english, chinese] = ['README.md', 'README.zh-CN.md'].map(
    (path) => new Set(readDocument(path).links.map(({ target }) => target)),
  );
  expect([...chinese!].filter((target) => target !== 'README.md').sort()).toEqual(
    [...english!].filter((target) => target !== 'README.zh-CN.md').sort(),
  );
});

readme.testCompleteness();
