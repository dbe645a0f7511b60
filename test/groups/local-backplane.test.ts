import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGroups, type Groups } from 'dwebsocket/groups';
import { localBackplane, type LocalBackplaneOptions } from 'dwebsocket/groups/local';
import { backplaneContract } from 'dwebsocket/testing';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { GREETING, Kind, writeFrame, writeMessage } from '../../src/groups/local/frames.js';
import { Inbox, START, within } from '../support/inbox.js';
import type { FromLocalProcess, ToLocalProcess } from './support/local-process.js';
import { FakeMember } from './support/members.js';
import { RecordedEvents } from './support/recorded-events.js';

const MAX_BUFFERED = 2 ** 23;
const TIMEOUT = 3_000;

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dwebsocket-local-')));
let paths = 0;
const newPath = () => join(folder, `groups-${paths++}`);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the contract', () => {
  const path = newPath();

  backplaneContract('localBackplane', {
    test: (name, run) => test(name, { timeout: 90_000 }, run),
    create: () => localBackplane({ path, timeout: TIMEOUT, maxBuffered: MAX_BUFFERED }),
    patience: 15_000,
    maxBuffered: MAX_BUFFERED,
    // A file in place of the socket: the hub leaves it, and nobody may replace it.
    outage: {
      begin: () => {
        rmSync(path, { force: true });
        writeFileSync(path, '');
      },
      end: () => rmSync(path),
    },
  });
});

/** Opens groups over a path, with a member in the group "a". */
async function joinAt(path: string, options: LocalBackplaneOptions = {}) {
  const groups = createGroups({ backplane: localBackplane({ path, timeout: TIMEOUT, ...options }) });
  onTestFinished(() => groups.close());
  const member = new FakeMember();
  const events = new RecordedEvents(groups);
  expect(await within(groups.group('a').add(member), 'add')).toBe(true);
  return { groups, group: groups.group('a'), member, events };
}

class LocalProcess {
  readonly got = new Inbox<string>();
  readonly events = new Inbox<string>();
  readonly #joined = new Inbox<boolean>();
  readonly #sent = new Inbox<unknown>();
  readonly #child: ChildProcess;

  constructor(options: LocalBackplaneOptions) {
    const program = fileURLToPath(new URL('./support/local-process.ts', import.meta.url));
    this.#child = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: FromLocalProcess) => {
      if ('joined' in message) this.#joined.push(message.joined);
      else if ('got' in message) this.got.push(message.got);
      else if ('sent' in message) this.#sent.push(message.sent);
      else this.events.push(message.event);
    });
    onTestFinished(() => this.kill());
  }

  static async start(options: LocalBackplaneOptions): Promise<LocalProcess> {
    const process = new LocalProcess(options);
    expect(await process.#joined.next('joined', START)).toBe(true);
    return process;
  }

  async send(text: string): Promise<unknown> {
    this.#child.send({ send: text } satisfies ToLocalProcess);
    return await this.#sent.next('sent');
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  async end(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.send({ end: true } satisfies ToLocalProcess);
    expect(await within(exit, 'exit')).toEqual([0, null]);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}

const unix = describe.runIf(process.platform !== 'win32');

unix('the socket', () => {
  test('is open to our user only, and nothing is left when all have closed', async () => {
    const path = newPath();
    const { groups } = await joinAt(path);
    expect((lstatSync(path).mode & 0o777).toString(8)).toBe('600');
    expect(lstatSync(path).isSocket()).toBe(true);
    await groups.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('of another path is another world', async () => {
    const [here, there] = [await joinAt(newPath()), await joinAt(newPath())];
    const alsoHere = await joinAt(newPath());
    await here.group.send('here only');
    await there.group.send('there only');
    expect(await there.member.inbox.next()).toBe('there only');
    expect([here.member.got, there.member.got, alsoHere.member.got]).toEqual([
      ['here only'],
      ['there only'],
      [],
    ]);
  });

  test('is by default in a private folder, and made from the working directory', async () => {
    const temporary = mkdtempSync(join(folder, 't'));
    onTestFinished(() => rmSync(temporary, { recursive: true, force: true }));
    vi.stubEnv('TMPDIR', temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    const open = async () => {
      const groups = createGroups({ backplane: localBackplane() });
      onTestFinished(() => groups.close());
      const member = new FakeMember();
      expect(await groups.group('a').add(member)).toBe(true);
      return { groups, member };
    };
    const [here, there] = [await open(), await open()];
    await here.groups.group('a').send('hello');
    expect(await there.member.inbox.next()).toBe('hello');
    const [name] = readdirSync(temporary);
    expect(name).toMatch(/^dwebsocket-\d+$/);
    expect((lstatSync(join(temporary, name!)).mode & 0o777).toString(8)).toBe('700');
  });

  test('is not used in a folder that others can enter', async () => {
    const temporary = mkdtempSync(join(folder, 't'));
    onTestFinished(() => rmSync(temporary, { recursive: true, force: true }));
    vi.stubEnv('TMPDIR', temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    mkdirSync(join(temporary, `dwebsocket-${process.getuid!()}`), { mode: 0o755 });
    const groups = createGroups({ backplane: localBackplane() });
    onTestFinished(() => groups.close());
    const events = new RecordedEvents(groups);
    expect((await events.cutOff()).message).toMatch(/must be a folder that only our user can enter/);
  });

  test('never replaces a file that is not a socket, and says what to do', async () => {
    const path = newPath();
    writeFileSync(path, 'precious');
    const groups = createGroups({ backplane: localBackplane({ path }) });
    onTestFinished(() => groups.close());
    const events = new RecordedEvents(groups);
    expect(await events.cutOff()).toMatchObject({
      code: 'ERR_WEBSOCKET_BACKPLANE_CUT_OFF',
      message: expect.stringMatching(/is not a socket; remove the file, or choose another path/),
    });
    expect(await groups.group('a').add(new FakeMember())).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe('precious');
    rmSync(path);
    await events.back();
    expect(groups.isCutOff()).toBe(false);
  });

  test('says when the folder is missing', async () => {
    const groups = createGroups({ backplane: localBackplane({ path: join(folder, 'missing', 'groups') }) });
    onTestFinished(() => groups.close());
    expect((await new RecordedEvents(groups).cutOff()).message).toMatch(/ENOENT/);
  });

  test('is taken over although a process was killed while it had the lock', async () => {
    const path = newPath();
    writeFileSync(`${path}.lock`, '');
    utimesSync(`${path}.lock`, new Date(0), new Date(0));
    mkdirSync(`${path}.Ab12Cd`);
    const { groups } = await joinAt(path);
    await groups.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('makes one hub of many processes that start at the same time', async () => {
    const path = newPath();
    const all = await Promise.all(Array.from({ length: 20 }, () => joinAt(path)));
    await Promise.all(all.map(({ group }, index) => group.send(String(index))));
    for (const { member } of all) {
      const got = [];
      while (got.length < 20) got.push(await member.inbox.next());
      expect(new Set(got).size).toBe(20);
    }
  });

  test('has a path that is short enough, and other options are checked', () => {
    expect(() => localBackplane({ path: `/tmp/${'x'.repeat(100)}` })).toThrow(/a path of at most 90 bytes/);
    expect(() => localBackplane({ path: '' })).toThrow(/the path of a Unix socket/);
    expect(() => localBackplane({ path: 7 as never })).toThrow(TypeError);
    expect(() => localBackplane({ timout: 1 } as never)).toThrow(/did you mean "timeout"/);
    const backplane = localBackplane({ path: newPath() });
    const events = { message() {}, cutOff() {}, back() {}, missed() {}, dropped() {} };
    backplane.start(events);
    onTestFinished(() => void backplane.close());
    expect(() => backplane.start(events)).toThrow(/serves one createGroups/);
  });
});

unix('the hub', { timeout: 120_000 }, () => {
  test('that closes loses no message, and nobody is cut off', async () => {
    const path = newPath();
    const all = [await joinAt(path), await joinAt(path), await joinAt(path), await joinAt(path)];
    const [sender, receiver] = [all[2]!, all[3]!];
    let number = 0;
    const sent: PromiseLike<unknown>[] = [];
    const send = () => {
      sent.push(sender.group.send(String(number++)).then(({ backplane }) => expect(backplane).toBe(true)));
    };
    // The first one is the hub, and the second one may be the next.
    for (const { groups } of all.slice(0, 2)) {
      for (let count = 0; count < 500; count++) send();
      const closing = groups.close();
      for (let count = 0; count < 500; count++) send();
      await within(closing, 'close');
      send();
    }
    await Promise.all(sent);
    const got = () => receiver.member.got.map(String);
    await vi.waitFor(() => expect(got().length).toBe(number), { timeout: 10_000 });
    expect(got()).toEqual(Array.from({ length: number }, (_, index) => String(index)));
    expect([sender.groups.isCutOff(), receiver.groups.isCutOff()]).toEqual([false, false]);
    expect([...sender.events.missed, ...receiver.events.missed]).toEqual([]);
  });

  test('that closes does not wait for a process that does not answer, which is cut off then', async () => {
    const path = newPath();
    const [hub, other] = [await joinAt(path), await joinAt(path)];
    const frozen = await LocalProcess.start({ path, timeout: TIMEOUT });
    await hub.group.send('1');
    expect(await frozen.got.next()).toBe('1');
    frozen.signal('SIGSTOP');
    await within(hub.groups.close(), 'close');
    await other.group.send('2');
    frozen.signal('SIGCONT');
    expect(await frozen.events.next('cutOff')).toBe('cutOff');
    expect(await frozen.events.next('back')).toBe('back');
    await other.group.send('3');
    expect(await frozen.got.next()).toBe('3');
    expect(other.groups.isCutOff()).toBe(false);
    await frozen.end();
  });

  test('that is killed is replaced, and what was lost is told', async () => {
    const path = newPath();
    const hub = await LocalProcess.start({ path, timeout: TIMEOUT });
    const [here, there] = [await joinAt(path), await joinAt(path)];
    expect(await hub.send('from the hub')).toBe(true);
    expect(await here.member.inbox.next()).toBe('from the hub');
    await here.group.send('1');
    expect(await there.member.inbox.next()).toBe('from the hub');
    expect(await there.member.inbox.next()).toBe('1');
    await hub.kill();
    expect((await here.events.cutOff()).code).toBe('ERR_WEBSOCKET_BACKPLANE_CUT_OFF');
    const { backplane, error } = await here.group.send('lost');
    expect([backplane, error?.message]).toEqual([false, expect.stringMatching(/cut off/)]);
    await Promise.all([here.events.back(), there.events.back()]);
    await here.group.send('2');
    expect(await there.member.inbox.next()).toBe('2');
    expect(there.events.missed).toEqual([{ group: 'a', count: 1 }]);
    const late = await joinAt(path);
    await late.group.send('3');
    expect(await there.member.inbox.next()).toBe('3');
  });

  test('that does not answer is replaced, and comes back as one of the others', async () => {
    const path = newPath();
    const hub = await LocalProcess.start({ path, timeout: 2_000 });
    const [here, there] = [await joinAt(path, { timeout: 2_000 }), await joinAt(path, { timeout: 2_000 })];
    hub.signal('SIGSTOP');
    await Promise.all([here.events.back(30_000), there.events.back(30_000)]);
    await here.group.send('without the hub');
    expect(await there.member.inbox.next()).toBe('without the hub');
    hub.signal('SIGCONT');
    expect(await hub.events.next('cutOff')).toBe('cutOff');
    expect(await hub.events.next('back')).toBe('back');
    await here.group.send('with it');
    let got = '';
    while (got !== 'with it') got = await hub.got.next('message');
    expect(await hub.send('answer')).toBe(true);
    while (got !== 'answer') got = String(await here.member.inbox.next());
    await hub.end();
  });

  test('disconnects a process that does not read, and the others lose nothing', async () => {
    const path = newPath();
    const [hub, other] = [await joinAt(path, { maxBuffered: 2 ** 20 }), await joinAt(path)];
    const slow = connect({ path });
    onTestFinished(() => void slow.destroy());
    slow.on('error', () => {});
    slow.write(Buffer.concat([writeFrame(Kind.HELLO, GREETING), writeFrame(Kind.SUBSCRIBE, 'a')]));
    slow.pause();
    let isDisconnected = false;
    const before = process.memoryUsage().rss;
    const text = 'x'.repeat(10_000);
    let sent = 0;
    const socketsOfHub = () =>
      readFileSync('/proc/net/unix', 'utf8')
        .split('\n')
        .filter((line) => line.includes(`${path}.`));
    const connected = socketsOfHub().length;
    while (!isDisconnected && sent < 2_000) {
      const results = await Promise.all(Array.from({ length: 20 }, () => hub.group.send(text)));
      expect(results.every(({ backplane }) => backplane === true)).toBe(true);
      sent += results.length;
      isDisconnected = socketsOfHub().length < connected;
    }
    expect(isDisconnected).toBe(true);
    // 1 MiB in the hub, and what the kernel buffers.
    expect(sent * text.length).toBeLessThan(4 * 2 ** 20);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
    await vi.waitFor(() => expect(other.member.got.length).toBe(sent), { timeout: 10_000 });
    expect(other.events.missed).toEqual([]);
  });
});

unix('a program that is not ours', () => {
  async function connectStranger(
    path: string,
  ): Promise<{ socket: Socket; got: Buffer[]; closed: Promise<unknown> }> {
    const socket = connect({ path });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    const got: Buffer[] = [];
    socket.on('data', (data: Buffer) => got.push(data));
    const closed = once(socket, 'close');
    await once(socket, 'connect');
    return { socket, got, closed };
  }

  const hello = writeFrame(Kind.HELLO, GREETING);
  const wrongLength = Buffer.from([0, 0, 0, 9, Kind.MESSAGE, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
  const inputs: Record<string, Buffer> = {
    'speaks HTTP': Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
    'sends random bytes': Buffer.from(Array.from({ length: 500 }, (_, index) => (index * 7_919) % 256)),
    'sends a message without a greeting': writeMessage('a', Buffer.from('stranger')),
    'has another version': writeFrame(Kind.HELLO, 'dwebsocket groups 2'),
    'announces a frame of 4 GiB': Buffer.concat([hello, Buffer.from([255, 255, 255, 255, 2])]),
    'sends a frame of length 0': Buffer.concat([hello, Buffer.from([0, 0, 0, 0, 2])]),
    'sends a frame of an unknown kind': Buffer.concat([hello, writeFrame(77)]),
    'sends a frame that only a hub sends': Buffer.concat([hello, writeFrame(Kind.LEAVING)]),
    'sends a name that is longer than its frame': Buffer.concat([hello, wrongLength]),
  };

  test.for(Object.entries(inputs))('and %s is disconnected, and harms nobody', async ([, bytes]) => {
    const path = newPath();
    const [here, there] = [await joinAt(path), await joinAt(path)];
    const stranger = await connectStranger(path);
    stranger.socket.write(bytes);
    await within(stranger.closed, 'close of the stranger');
    if (!bytes.subarray(0, hello.length).equals(hello)) expect(stranger.got).toEqual([]);
    await here.group.send('still here');
    expect(await there.member.inbox.next()).toBe('still here');
    expect([here.groups.isCutOff(), there.groups.isCutOff()]).toEqual([false, false]);
  });

  test('and says nothing is disconnected after the timeout', async () => {
    const path = newPath();
    await joinAt(path, { timeout: 1_000 });
    const stranger = await connectStranger(path);
    await within(stranger.closed, 'close of the stranger');
  });

  test('and sends a message that is not from groups causes "refused" and nothing else', async () => {
    const path = newPath();
    const { events, member, group } = await joinAt(path);
    const stranger = await connectStranger(path);
    stranger.socket.write(Buffer.concat([hello, writeMessage('a', Buffer.from('no envelope'))]));
    expect((await events.refused.next()).code).toBe('ERR_WEBSOCKET_BACKPLANE_STRANGER');
    await group.send('own');
    expect(member.got).toEqual(['own']);
  });

  test('and takes the place of the hub cannot crash us, and is told', async () => {
    const path = newPath();
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.resume();
      socket.write('SSH-2.0-OpenSSH_9.2p1 Debian\r\n');
    }).listen(path);
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const groups: Groups = createGroups({ backplane: localBackplane({ path, timeout: 500 }) });
    onTestFinished(() => groups.close());
    expect((await new RecordedEvents(groups).cutOff()).message).toMatch(
      /another program, or another version of dwebsocket, is the hub/,
    );
    expect(existsSync(path)).toBe(true);
  });
});
