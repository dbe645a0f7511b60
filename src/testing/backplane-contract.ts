import assert from 'node:assert/strict';
import { createGroups, type Backplane, type Groups, type Member } from '../groups/index.js';
import { ContractFixture } from './contract-fixture.js';

/** Lists the options of {@link backplaneContract}. */
export interface BackplaneContractOptions {
  /**
   * Creates a backplane. All backplanes of one test must be connected with each other, like those of several processes.
   */
  create: () => Backplane | Promise<Backplane>;
  /** Registers a test. Pass `test` of Vitest, Jest or node:test, or `it` of Mocha. */
  test: (name: string, run: () => Promise<void>) => unknown;
  /** Begins and ends an outage for all backplanes. Without it, the tests of outages are left out. */
  outage?: { begin: () => unknown; end: () => unknown } | undefined;
  /**
   * Whether the backplane delivers messages from an outage afterwards.
   *
   * @default false
   */
  keepsMissed?: boolean | undefined;
  /**
   * Says how many bytes one message of the backplane may have.
   *
   * @default 1_000_000
   */
  maxPayload?: number | undefined;
  /**
   * Says how many bytes the backplane may keep during an outage. Used only if it keeps messages.
   *
   * @default 16_777_216 (16 MiB)
   */
  maxBuffered?: number | undefined;
  /**
   * Limits the milliseconds of each step: a message, a subscription, the end of an outage. A test has several steps, so set
   * a higher time limit in your test runner. The default is 2 seconds in Mocha, and 5 seconds in Jest and Vitest.
   *
   * @default 4_000
   */
  patience?: number | undefined;
}

interface Case {
  readonly name: string;
  readonly run: (fixture: ContractFixture, options: BackplaneContractOptions) => Promise<void>;
}

/**
 * Registers tests that check whether a backplane keeps the promises that groups rely on.
 *
 * It works with any test runner, which you pass as `test`. Each test takes a few seconds at most, and closes all its
 * backplanes.
 *
 * @param name The beginning of each test's name.
 * @example
 * import { test } from 'vitest';
 * backplaneContract('NATS', { test, create: () => natsBackplane(connection) });
 */
export function backplaneContract(name: string, options: BackplaneContractOptions): void {
  for (const each of casesFor(options)) {
    options.test(`${name}: ${each.name}`, async () => {
      const fixture = new ContractFixture(options.create, options.patience ?? 4_000);
      const outage = options.outage === undefined ? undefined : new Outage(options.outage);
      try {
        await each.run(fixture, { ...options, outage });
      } finally {
        await outage?.end();
        await fixture.close();
      }
    });
  }
}

/** An outage. `end` may be called again: it also ends the outage that a failed test has left. */
class Outage {
  readonly #network: { begin: () => unknown; end: () => unknown };
  #isOn = false;

  constructor(network: { begin: () => unknown; end: () => unknown }) {
    this.#network = network;
  }

  async begin(): Promise<void> {
    this.#isOn = true;
    await this.#network.begin();
  }

  async end(): Promise<void> {
    if (!this.#isOn) return;
    this.#isOn = false;
    await this.#network.end();
  }
}

function casesFor({ outage, keepsMissed }: BackplaneContractOptions): readonly Case[] {
  if (outage === undefined) return ALWAYS;
  return [...ALWAYS, ...IN_OUTAGES, ...(keepsMissed === true ? WHEN_KEPT : WHEN_NOT_KEPT)];
}

/** Channels to restore after an outage: more than some clients can subscribe in one command. */
const CHANNELS = 2_000;

/** Messages in one turn of the event loop. */
const FLOOD = 5_000;

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));

const ALWAYS: readonly Case[] = [
  {
    name: 'a message reaches all other subscribers',
    async run(fixture) {
      const [one, two, three] = [await fixture.open(), await fixture.open(), await fixture.open()];
      await two.subscribe('room');
      await three.subscribe('room');
      await one.publish('room', 'hello');
      await two.receives('room', ['hello']);
      await three.receives('room', ['hello']);
    },
  },
  {
    name: 'messages of one process on one channel arrive once and in order',
    async run(fixture) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      await two.subscribe('room');
      const messages = numbered(1_000);
      await Promise.all(messages.map((message) => one.publish('room', message)));
      await two.receives('room', messages);
      await fixture.waitForLateMessages();
      await two.receives('room', messages);
    },
  },
  {
    name: 'several processes can publish on one channel at a time',
    async run(fixture) {
      const publishers = [await fixture.open(), await fixture.open(), await fixture.open()];
      const subscriber = await fixture.open();
      await subscriber.subscribe('room');
      await Promise.all(
        publishers.flatMap((publisher, index) =>
          numbered(100).map((message) => publisher.publish('room', `${index}:${message}`)),
        ),
      );
      await subscriber.receivesCount('room', 300);
      for (const index of publishers.keys()) {
        const own = subscriber.received('room').filter((message) => message.startsWith(`${index}:`));
        assert.deepEqual(
          own,
          numbered(100).map((message) => `${index}:${message}`),
          `the order of process ${index}`,
        );
      }
    },
  },
  {
    name: 'a message that is published after subscribe has resolved arrives',
    async run(fixture) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      for (const room of numbered(20)) {
        await two.subscribe(room);
        await one.publish(room, 'at once');
        await two.receives(room, ['at once']);
      }
    },
  },
  {
    name: 'no message arrives on a channel that was never subscribed, or after unsubscribe has resolved',
    async run(fixture) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      await two.subscribe('left');
      await two.subscribe('fence');
      await two.unsubscribe('left');
      await one.publish('left', 'too late');
      await one.publish('never joined', 'no subscriber');
      await one.publish('fence', 'end');
      await two.receives('fence', ['end']);
      assert.deepEqual(two.channels(), ['fence']);
    },
  },
  {
    name: 'a channel can be subscribed and unsubscribed many times',
    async run(fixture) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      for (const round of numbered(20)) {
        await two.subscribe('room');
        await one.publish('room', round);
        await two.receives('room', numbered(Number(round) + 1));
        await two.unsubscribe('room');
      }
    },
  },
  {
    name: 'bytes arrive unchanged: none, all values, many',
    async run(fixture, { maxPayload = 1_000_000 }) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      await two.subscribe('bytes');
      const all = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
      const payloads = [Buffer.alloc(0), all, Buffer.from('{"é": "你好"}'), Buffer.alloc(maxPayload, all)];
      for (const payload of payloads) await one.publish('bytes', payload);
      await two.receivesCount('bytes', payloads.length);
      for (const [index, payload] of payloads.entries()) {
        assert.ok(
          two.receivedBytes('bytes')[index]?.equals(payload),
          `payload of ${payload.length} bytes is unchanged`,
        );
      }
    },
  },
  {
    name: 'a message above maxPayload is refused or arrives, and the next message arrives',
    async run(fixture, { maxPayload = 1_000_000 }) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      await two.subscribe('room');
      const large = 'x'.repeat(4 * maxPayload);
      const wasAccepted = await fixture.within(
        one.publish('room', large).then(
          () => true,
          () => false,
        ),
        'publish settles',
      );
      await one.publish('room', 'next');
      await fixture.waitUntil(
        () => two.received('room').includes('next'),
        () => 'the message after the large one',
      );
      if (wasAccepted)
        assert.ok(two.received('room')[0] === large, 'a large message that publish has accepted arrives');
    },
  },
  {
    name: 'any string can name a channel, and different strings name different channels',
    async run(fixture) {
      const names = [
        'a',
        'A',
        'a ',
        'a:b',
        'a{b}c',
        '*',
        'a*',
        '?[a]',
        '你好',
        'e\u0301',
        'é',
        '😀',
        '\uffff',
        'a\0b',
        '\r\n',
        'a{b}{c}',
        '{}a',
        'group:a',
        ':group:a',
        '__proto__',
        '"\'\\',
        'x'.repeat(500),
        `${'x'.repeat(500)}y`,
      ];
      const [one, two] = [await fixture.open(), await fixture.open()];
      for (const name of names) await two.subscribe(name);
      for (const name of names) await one.publish(name, name);
      for (const name of names) await two.receives(name, [name]);
    },
  },
  {
    name: 'many channels can be used at a time',
    async run(fixture) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      const names = numbered(200);
      await Promise.all(names.map((name) => two.subscribe(name)));
      await Promise.all(names.map((name) => one.publish(name, name)));
      for (const name of names) await two.receives(name, [name]);
      await Promise.all(names.map((name) => two.unsubscribe(name)));
    },
  },
  {
    name: 'many messages on one channel keep their order, and do not stop another channel',
    async run(fixture) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      await two.subscribe('flood');
      await two.subscribe('other');
      const messages = numbered(FLOOD);
      const flooding = Promise.all(messages.map((message) => one.publish('flood', message)));
      const other = one.publish('other', 'another');
      await two.receives('other', ['another']);
      await fixture.within(flooding, 'publish resolves');
      await fixture.within(other, 'publish resolves');
      await two.receives('flood', messages);
    },
  },
  {
    name: 'after close publish and subscribe reject and no message arrives, and the others still work',
    async run(fixture) {
      const [one, two, three] = [await fixture.open(), await fixture.open(), await fixture.open()];
      await two.subscribe('room');
      await three.subscribe('room');
      await two.backplane.close();
      await two.backplane.close();
      await assert.rejects(two.publish('room', 'after close'), 'publish rejects after close');
      await assert.rejects(two.subscribe('other'), 'subscribe rejects after close');
      await one.publish('room', 'still open');
      await three.receives('room', ['still open']);
      assert.deepEqual(two.channels(), []);
    },
  },
  {
    name: 'close sends earlier messages first',
    async run(fixture) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      await two.subscribe('room');
      const messages = numbered(100);
      const publishing = Promise.all(messages.map((message) => one.publish('room', message)));
      // Marks a rejection as handled while we wait for `close`. It is awaited below.
      publishing.catch(() => {});
      await fixture.within(one.backplane.close(), 'close resolves');
      await fixture.within(publishing, 'publish resolves for what came before close');
      await two.receives('room', messages);
    },
  },
  {
    name: 'text, bytes and close of a group reach all members once, also in other processes',
    async run(fixture) {
      const [here, there] = [await openGroups(fixture), await openGroups(fixture)];
      const own = new FakeMember();
      const other = new FakeMember();
      await here.group('room').add(own);
      assert.equal(await there.group('room').add(other), true, 'add resolves with true');
      await here.group('room').send('text');
      await here.group('room').send(Buffer.from([0, 255]));
      await there.group('room').send('back');
      await fixture.waitUntil(
        () => own.got.length + other.got.length === 6,
        () => 'six messages at two members',
      );
      assert.deepEqual(own.got, ['text', Buffer.from([0, 255]), 'back']);
      // Messages of different senders may arrive in any order.
      assert.deepEqual(
        other.got.filter((message) => message !== 'back'),
        ['text', Buffer.from([0, 255])],
      );
      await here.group('room').close(4000, 'over');
      await fixture.waitUntil(
        () => other.closedWith !== undefined,
        () => 'a close at the other member',
      );
      assert.deepEqual([own.closedWith, other.closedWith], ['4000 over', '4000 over']);
    },
  },
  {
    name: 'the people of a group are known in all processes, and leave with their process',
    async run(fixture) {
      const all = [await openGroups(fixture), await openGroups(fixture), await openGroups(fixture)] as const;
      const [here, there, reader] = all;
      await here.group('room').add(new FakeMember(), { as: 'ann' });
      await there.group('room').add(new FakeMember(), { as: 'ann' });
      await there.group('room').add(new FakeMember(), { as: { id: 7 } });
      for (const groups of all) await knowsPeople(fixture, groups, '"ann" 2, {"id":7} 1');
      await there.close();
      await knowsPeople(fixture, here, '"ann" 1');
      await knowsPeople(fixture, reader, '"ann" 1');
    },
  },
];

const IN_OUTAGES: readonly Case[] = [
  {
    name: 'an outage calls cutOff once, and back once when all channels are subscribed again',
    async run(fixture, { outage }) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      await two.subscribe('room');
      await outage?.begin();
      await one.waitForOutage();
      await two.waitForOutage();
      await outage?.end();
      await one.waitForRecovery();
      await two.waitForRecovery();
      await one.publish('room', 'after');
      await fixture.waitUntil(
        () => two.received('room').includes('after'),
        () => 'the message after the outage',
      );
      assert.deepEqual(
        [one.outageEvents, two.outageEvents],
        [
          ['cutOff', 'back'],
          ['cutOff', 'back'],
        ],
      );
    },
  },
  {
    name: 'after an outage many channels are subscribed again, and unsubscribed ones are not',
    async run(fixture, { outage }) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      const names = numbered(CHANNELS);
      await Promise.all([...names, 'left'].map((name) => two.subscribe(name)));
      await outage?.begin();
      await one.waitForOutage();
      await two.waitForOutage();
      await two.unsubscribe('left');
      await outage?.end();
      await one.waitForRecovery();
      await two.waitForRecovery();
      await Promise.all(['left', ...names].map((name) => one.publish(name, name)));
      for (const name of names) await two.receives(name, [name]);
      assert.deepEqual(two.received('left'), [], 'the messages on a channel that was left');
    },
  },
  {
    name: 'in an outage at most maxBuffered bytes are kept, and later messages arrive',
    async run(fixture, { outage, maxBuffered = 2 ** 24 }) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      await two.subscribe('room');
      await outage?.begin();
      await one.waitForOutage();
      const large = 'x'.repeat(Math.min(maxBuffered / 4, 500_000));
      const count = Math.ceil((2 * maxBuffered) / large.length);
      const publishing = Array.from({ length: count }, () => one.publish('room', large));
      const results = await fixture.within(Promise.allSettled(publishing), 'publish settles');
      const kept = results.filter(({ status }) => status === 'fulfilled').length * large.length;
      assert.ok(kept <= maxBuffered, `${kept} bytes are kept, and maxBuffered is ${maxBuffered}`);
      await outage?.end();
      await one.waitForRecovery();
      await two.waitForRecovery();
      await fixture.waitUntil(
        () => two.receivedBytes('room').length * large.length >= kept,
        () => 'what was kept',
      );
      await one.publish('room', 'after');
      await fixture.waitUntil(
        () => two.received('room').includes('after'),
        () => 'the message after the outage',
      );
    },
  },
  {
    name: 'in an outage publish settles soon and reports that the message was not sent',
    async run(fixture, { outage, keepsMissed }) {
      const one = await fixture.open();
      await outage?.begin();
      await one.waitForOutage();
      const result = await fixture.within(
        one.publish('room', 'in the outage').then(String, () => 'rejected'),
        'publish settles',
      );
      assert.equal(result, keepsMissed === true ? 'later' : 'rejected');
      await outage?.end();
      await one.waitForRecovery();
    },
  },
  {
    name: 'an outage that begins before start calls cutOff once, and back once when it ends',
    async run(fixture, { outage }) {
      const backplanes = [await fixture.create(), await fixture.create()] as const;
      await outage?.begin();
      const [one, two] = [fixture.start(backplanes[0]), fixture.start(backplanes[1])];
      await one.waitForOutage();
      await two.waitForOutage();
      await outage?.end();
      await one.waitForRecovery();
      await two.waitForRecovery();
      await two.subscribe('room');
      await one.publish('room', 'after');
      await two.receives('room', ['after']);
      assert.deepEqual(
        [one.outageEvents, two.outageEvents],
        [
          ['cutOff', 'back'],
          ['cutOff', 'back'],
        ],
      );
    },
  },
  {
    name: 'close resolves soon in an outage, and publish rejects afterwards',
    async run(fixture, { outage }) {
      const one = await fixture.open();
      await one.subscribe('room');
      await outage?.begin();
      await one.waitForOutage();
      const publishing = one.publish('room', 'in the outage').catch(() => {});
      await fixture.within(one.backplane.close(), 'close resolves in an outage');
      await fixture.within(publishing, 'publish settles');
      await assert.rejects(one.publish('room', 'after close'), 'publish rejects after close');
    },
  },
  {
    name: 'channels that are subscribed or unsubscribed in an outage are right afterwards',
    async run(fixture, { outage }) {
      const [here, there] = [await openGroups(fixture), await openGroups(fixture)];
      const [early, late] = [new FakeMember(), new FakeMember()];
      await there.group('left').add(early);
      await outage?.begin();
      await fixture.waitUntil(
        () => here.isCutOff() && there.isCutOff(),
        () => 'both are cut off',
      );
      assert.equal(await fixture.within(there.group('joined').add(late), 'add settles'), false);
      there.group('left').delete(early);
      await outage?.end();
      await fixture.waitUntil(
        () => !here.isCutOff() && !there.isCutOff(),
        () => 'both are back',
      );
      assert.equal(await fixture.within(there.group('joined').add(late), 'add settles'), true);
      await here.group('left').send('nobody is here');
      await here.group('joined').send('welcome');
      await fixture.waitUntil(
        () => late.got.length > 0,
        () => 'a message at the member that joined in the outage',
      );
      assert.deepEqual([early.got, late.got], [[], ['welcome']]);
    },
  },
  {
    name: 'people who come and go in an outage are known afterwards',
    async run(fixture, { outage }) {
      const all = [await openGroups(fixture), await openGroups(fixture)] as const;
      const [here, there] = all;
      const early = new FakeMember();
      await here.group('room').add(new FakeMember(), { as: 'ann' });
      await there.group('room').add(early, { as: 'ben' });
      for (const groups of all) await knowsPeople(fixture, groups, '"ann" 1, "ben" 1');
      await outage?.begin();
      await fixture.waitUntil(
        () => here.isCutOff() && there.isCutOff(),
        () => 'both are cut off',
      );
      there.group('room').delete(early);
      void here.group('room').add(new FakeMember(), { as: 'cat' });
      await outage?.end();
      await fixture.waitUntil(
        () => !here.isCutOff() && !there.isCutOff(),
        () => 'both are back',
      );
      for (const groups of all) await knowsPeople(fixture, groups, '"ann" 1, "cat" 1');
    },
  },
];

const WHEN_NOT_KEPT: readonly Case[] = [
  {
    name: 'a message that was refused in an outage does not arrive afterwards',
    async run(fixture, { outage }) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      await two.subscribe('room');
      await outage?.begin();
      await one.waitForOutage();
      await two.waitForOutage();
      await assert.rejects(one.publish('room', 'in the outage'), 'publish rejects in an outage');
      await outage?.end();
      await one.waitForRecovery();
      await two.waitForRecovery();
      await one.publish('room', 'after');
      await fixture.waitUntil(
        () => two.received('room').includes('after'),
        () => 'the message after the outage',
      );
      await fixture.waitForLateMessages();
      assert.deepEqual(two.received('room'), ['after']);
    },
  },
];

const WHEN_KEPT: readonly Case[] = [
  {
    name: 'messages from before, in and after an outage arrive in order',
    async run(fixture, { outage }) {
      const [one, two] = [await fixture.open(), await fixture.open()];
      await two.subscribe('room');
      const messages = numbered(300);
      const part = async (from: number, to: number): Promise<void> => {
        await Promise.all(messages.slice(from, to).map((message) => one.publish('room', message)));
      };
      await part(0, 100);
      await outage?.begin();
      await part(100, 200);
      await one.waitForOutage();
      await outage?.end();
      await part(200, 300);
      // Messages around an outage may arrive twice; groups ignore the duplicates.
      const received = (): string[] => [...new Set(two.received('room'))];
      await fixture.waitUntil(
        () => received().length === messages.length,
        () => `${messages.length} messages; there are ${received().length}`,
      );
      assert.deepEqual(received(), messages);
    },
  },
];

async function openGroups(fixture: ContractFixture): Promise<Groups> {
  const groups = createGroups({ backplane: await fixture.create() });
  fixture.onClose(() => groups.close());
  return groups;
}

/** Waits until exactly these people are in the group "room". */
async function knowsPeople(fixture: ContractFixture, groups: Groups, expected: string): Promise<void> {
  const describe = (): string =>
    groups
      .group('room')
      .people.map(({ as, websockets }) => `${JSON.stringify(as)} ${String(websockets)}`)
      .sort()
      .join(', ');
  await fixture.waitUntil(
    () => describe() === expected,
    () => `the people are ${expected}; they are ${describe()}`,
  );
}

class FakeMember implements Member {
  readonly got: (string | Buffer)[] = [];
  closedWith: string | undefined;
  #leave!: () => void;
  readonly closed = new Promise<void>((resolve) => (this.#leave = resolve));

  send(message: string | Buffer): void {
    this.got.push(message);
  }

  close(code?: number, reason?: string): void {
    this.closedWith = `${String(code)} ${String(reason)}`;
    this.#leave();
  }
}
