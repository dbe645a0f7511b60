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

test('the clock of the second example ticks, and its quiz asks', async () => {
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

readme.testCompleteness();
