import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDocument } from '../../docs/document.js';
import { Project, toCommonJs } from './project.js';

const { blocks } = readDocument('docs/testing.md');
const codeUnder = (anchor: string) =>
  blocks.filter((block) => block.anchor === anchor && block.language === 'js').map(({ code }) => code);

const [intro = ''] = codeUnder('testing');
const [app = ''] = codeUnder('the-app');
const [vitestSuite = ''] = codeUnder('vitest');
const [jestImports = '', jestRequires = ''] = codeUnder('jest');
const [nodeSuite = ''] = codeUnder('nodetest');
const [mochaImports = ''] = codeUnder('mocha');

/** The short tests of the document's other sections. */
const examples = blocks
  .filter(({ language, code }) => language === 'js' && code.startsWith('test('))
  .map(({ code }) => code);

/** Returns a suite with other first lines. */
const withHead = (head: string, suite: string) =>
  `${head}\n\n${suite.slice(suite.indexOf('afterEach(closeClients)'))}`;

/** The suite of the document, written for each runner as the document says. */
const SUITES = {
  vitest: vitestSuite,
  examples: `${vitestSuite.replace('afterEach, expect, test', '$&, vi')}\n${examples.join('\n')}`,
  'jest-esm': withHead(jestImports, vitestSuite),
  jest: withHead(jestRequires, vitestSuite),
  node: nodeSuite,
  mocha: withHead(`${mochaImports}\n${nodeSuite.split('\n').slice(2, 5).join('\n')}`, nodeSuite),
};

/** The runners allow two to five seconds for a test, which is too little on a busy machine. */
const PATIENT = { vitest: '--testTimeout=60000', jest: '--testTimeout=60000', mocha: '--timeout=60000' };

let project: Project;

beforeAll(() => {
  project = new Project();
  for (const [folder, suite] of Object.entries(SUITES)) {
    const isCommonJs = folder === 'jest';
    const type = isCommonJs ? 'commonjs' : 'module';
    project.write(`${folder}/package.json`, JSON.stringify({ type, jest: { transform: {} } }));
    project.write(`${folder}/app.js`, isCommonJs ? toCommonJs(app) : app);
    // The second file must find the same state as the first.
    for (const name of ['first', 'second']) project.write(`${folder}/${name}.test.js`, suite);
  }
}, 120_000);

afterAll(() => {
  project.remove();
});

describe('the suite of the document passes, and its process exits', { timeout: 240_000 }, () => {
  test('in Vitest', async () => {
    const { status, output } = await project.run(
      'vitest',
      project.bin('vitest/vitest.mjs'),
      'run',
      '--pool=threads',
      PATIENT.vitest,
    );
    expect(output).toMatch(/Tests +6 passed \(6\)/);
    expect(status).toBe(0);
  });

  test('in Vitest, with the examples of the document', async () => {
    const count = 2 * (3 + examples.join('\n').match(/^test\(/gm)!.length);
    const { status, output } = await project.run(
      'examples',
      project.bin('vitest/vitest.mjs'),
      'run',
      PATIENT.vitest,
    );
    expect(output).toContain(`${count} passed (${count})`);
    expect(status).toBe(0);
  });

  test.for([
    ['CommonJS', 'jest', []],
    ['ES modules', 'jest-esm', ['--experimental-vm-modules']],
  ] as const)('in Jest with %s', async ([, folder, flags]) => {
    const { status, output } = await project.run(
      folder,
      ...flags,
      project.bin('jest/bin/jest.js'),
      '--runInBand',
      PATIENT.jest,
    );
    expect(output).toMatch(/Tests: +6 passed, 6 total/);
    expect(output).not.toMatch(/did not exit|open handle|force exited/);
    expect(status).toBe(0);
  });

  test('in Mocha', async () => {
    const { status, output } = await project.run(
      'mocha',
      project.bin('mocha/bin/mocha.js'),
      '*.test.js',
      PATIENT.mocha,
    );
    expect(output).toContain('6 passing');
    expect(status).toBe(0);
  });

  test('in node:test', async () => {
    const { status, output } = await project.run('node', '--test');
    expect(output).toMatch(/pass 6$/m);
    expect(output).toMatch(/fail 0$/m);
    expect(status).toBe(0);
  });
});

test('with the fake clock of sinon, as in the document', async () => {
  const [, code = ''] = codeUnder('fake-clocks');
  const [imports = '', fakeTimers = ''] = code.split('\n\n');
  const minute = `
test('a minute passes in no time', async () => {
  const clock = ${fakeTimers}
  const { client, ended } = runHandler(async (req) => {
    while (await req.websocket.sleep(60_000)) req.websocket.send('tick');
  });
  assert.equal(await client.wait(1), null);
  await clock.tickAsync(60_000);
  assert.equal(await client.wait(), 'tick');
  await client.close();
  assert.equal((await ended).outcome, 'returned');
  clock.restore();
});
`;
  const suite = `${imports}\n${nodeSuite}\n${minute}`;
  project.write('sinon/package.json', '{ "type": "module" }');
  project.write('sinon/app.js', app);
  for (const name of ['first', 'second']) project.write(`sinon/${name}.test.js`, suite + minute);
  const { status, output } = await project.run('sinon', '--test');
  expect(output).toMatch(/pass 10$/m);
  expect(status).toBe(0);
});

test('the first example says hello', async () => {
  const { code } = readDocument('README.md').blocks.find(({ language }) => language === 'ts')!;
  const app = code.replace(/^app\.listen.*$/m, '');
  project.write('intro/index.mjs', `${app}\n${intro}`);
  const { status, output } = await project.run('intro', 'index.mjs');
  expect([status, output]).toEqual([0, 'hello\n']);
});

/** Difficult cases in Jest: each test file has its own globals and a completely fake clock. */
const HARD = `
const { setTimeout: sleep } = require('node:timers/promises');
const { openWebsockets, requireWebsocket, WebsocketClosedError, WebsocketError } = require('dwebsocket');
const { closeClients, connect, runHandler } = require('dwebsocket/testing');
const http = require('node:http');

const echo = requireWebsocket(async (req) => {
  for await (const message of req.websocket) {
    req.websocket.send(message);
    req.websocket.send('twice');
  }
});

afterEach(async () => {
  jest.useRealTimers();
  await closeClients();
});

test('a fake clock stops neither messages nor the close', async () => {
  jest.useFakeTimers();
  const client = await connect(echo, '/', { deadline: 200 });
  client.send('hello');
  expect(await client.wait()).toBe('hello');
  expect(await client.wait()).toBe('twice');
  client.send(Buffer.from([1, 2]));
  expect(await client.wait()).toEqual(Buffer.from([1, 2]));
  expect(await client.wait()).toBe('twice');
  await expect(client.wait()).rejects.toThrow('expected a message within 200 ms');
  await client.close();
});

test('the test advances the clock of the handler', async () => {
  jest.useFakeTimers();
  const { client, ended } = runHandler(async (req) => {
    while (await req.websocket.sleep(60000)) req.websocket.send('tick');
  });
  client.send('hello');
  expect(await client.wait(1)).toBe(null);
  await jest.advanceTimersByTimeAsync(60000);
  expect(await client.wait()).toBe('tick');
  await client.close();
  expect(await ended).toMatchObject({ outcome: 'returned', code: 1000 });
});

test('an AbortError of Node that its own signal causes is not a failure', async () => {
  const errors = [];
  const waiting = requireWebsocket(async (req) => sleep(60000, undefined, { signal: req.websocket.signal }));
  const over = new Promise((resolve) => {
    const app = (req, res) => {
      res.once('close', resolve);
      waiting(req, res, (error) => errors.push(error));
    };
    connect(app).then((client) => client.close());
  });
  await over;
  expect(errors).toEqual([]);
});

test('errors are instances of their classes', async () => {
  const error = await connect((req, res) => res.end('no')).catch((reason) => reason);
  expect(error).toBeInstanceOf(WebsocketError);
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(WebsocketClosedError);
  expect(error).toMatchObject({ name: 'WebsocketHandshakeError', status: 200, body: 'no' });
});

test('a server that listens closes with its websockets', async () => {
  const server = http.createServer(echo).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const client = await connect(server, '/');
  expect(openWebsockets(server).size).toBe(1);
  await new Promise((resolve) => server.close(resolve));
  expect(await client.closed).toMatchObject({ code: 1001 });
});

test('an unclosed client does not keep the process alive', async () => {
  await connect(requireWebsocket((req) => req.websocket.closed));
  jest.useFakeTimers();
});
`;

test(
  'the difficult cases in Jest work in the first and in the second file',
  { timeout: 240_000 },
  async () => {
    const type = 'commonjs';
    project.write('hard/package.json', JSON.stringify({ type, jest: { transform: {} } }));
    for (const name of ['first', 'second']) project.write(`hard/${name}.test.js`, HARD);
    const { status, output } = await project.run(
      'hard',
      project.bin('jest/bin/jest.js'),
      '--runInBand',
      PATIENT.jest,
    );
    expect(output).toMatch(/Tests: +12 passed, 12 total/);
    expect(output).not.toMatch(/did not exit|open handle|force exited/);
    expect(status).toBe(0);
  },
);
