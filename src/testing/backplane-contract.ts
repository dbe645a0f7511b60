import assert from 'node:assert/strict';
import { createGroups, type Backplane, type Groups, type Member } from '../groups/index.js';
import { Party } from './backplane-party.js';

/** What {@link backplaneContract} needs to know of a backplane. */
export interface BackplaneContractOptions {
  /**
   * Makes a backplane; all that are made in one case are connected with each other, as those of several processes are.
   */
  create: () => Backplane | Promise<Backplane>;
  /** The runner's `test`: of Vitest, Jest, Mocha (`it`) or node:test. */
  test: (name: string, run: () => Promise<void>) => unknown;
  /** How to take the network away from all of them, and give it back. Without it what concerns outages is not tested. */
  outage?: { begin: () => unknown; end: () => unknown } | undefined;
  /**
   * Whether it promises to deliver what is sent during an outage afterwards.
   *
   * @default false
   */
  keepsMissed?: boolean | undefined;
  /**
   * Bytes of the largest message that it takes.
   *
   * @default 1_000_000
   */
  maxPayload?: number | undefined;
  /**
   * Bytes that it keeps in an outage at most, when it keeps any.
   *
   * @default 16_777_216 (16 MiB)
   */
  maxBuffered?: number | undefined;
  /**
   * Milliseconds that each step may take: a message, a subscription, the end of an outage. Give the tests of your runner
   * more: a test has several steps, and Mocha ends it after 2 seconds by itself, Jest and Vitest after 5.
   *
   * @default 4_000
   */
  patience?: number | undefined;
}

interface Case {
  readonly name: string;
  readonly run: (party: Party, options: BackplaneContractOptions) => Promise<void>;
}

/**
 * Registers the tests that tell whether a backplane keeps the promises that groups are built on.
 *
 * Uses no test runner of its own: hand it yours. Each test takes seconds at most, and closes what it has made.
 *
 * @param name What the names of the tests begin with.
 * @example
 * import { test } from 'vitest';
 * backplaneContract('NATS', { test, create: () => natsBackplane(connection) });
 */
export function backplaneContract(name: string, options: BackplaneContractOptions): void {
  for (const each of casesFor(options)) {
    options.test(`${name}: ${each.name}`, async () => {
      const party = new Party(options.create, options.patience ?? 4_000);
      const outage = options.outage === undefined ? undefined : new Outage(options.outage);
      try {
        await each.run(party, { ...options, outage });
      } finally {
        await outage?.end();
        await party.end();
      }
    });
  }
}

/** One that ends with its test, also when that fails. */
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

/** Channels that are there again after an outage; more than many a client takes in one command. */
const CHANNELS = 2_000;

/** Messages in one turn of the event loop. */
const FLOOD = 5_000;

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));

const ALWAYS: readonly Case[] = [
  {
    name: 'what one publishes, the others get',
    async run(party) {
      const [one, two, three] = [await party.join(), await party.join(), await party.join()];
      await two.subscribe('room');
      await three.subscribe('room');
      await one.publish('room', 'hello');
      await two.hears('room', ['hello']);
      await three.hears('room', ['hello']);
    },
  },
  {
    name: 'messages of one process on one channel keep their order, and come once',
    async run(party) {
      const [one, two] = [await party.join(), await party.join()];
      await two.subscribe('room');
      const messages = numbered(1_000);
      await Promise.all(messages.map((message) => one.publish('room', message)));
      await two.hears('room', messages);
      await party.quiet();
      await two.hears('room', messages);
    },
  },
  {
    name: 'several processes can talk on one channel at a time',
    async run(party) {
      const talkers = [await party.join(), await party.join(), await party.join()];
      const listener = await party.join();
      await listener.subscribe('room');
      await Promise.all(
        talkers.flatMap((talker, index) =>
          numbered(100).map((message) => talker.publish('room', `${index}:${message}`)),
        ),
      );
      await listener.counts('room', 300);
      for (const index of talkers.keys()) {
        const own = listener.heard('room').filter((message) => message.startsWith(`${index}:`));
        assert.deepEqual(
          own,
          numbered(100).map((message) => `${index}:${message}`),
          `the order of process ${index}`,
        );
      }
    },
  },
  {
    name: 'a subscription is in force when its promise resolves',
    async run(party) {
      const [one, two] = [await party.join(), await party.join()];
      for (const room of numbered(20)) {
        await two.subscribe(room);
        await one.publish(room, 'at once');
        await two.hears(room, ['at once']);
      }
    },
  },
  {
    name: 'nothing comes for a channel that is not subscribed, nor after unsubscribe has resolved',
    async run(party) {
      const [one, two] = [await party.join(), await party.join()];
      await two.subscribe('left');
      await two.subscribe('fence');
      await two.unsubscribe('left');
      await one.publish('left', 'too late');
      await one.publish('never joined', 'not for you');
      await one.publish('fence', 'end');
      await two.hears('fence', ['end']);
      assert.deepEqual(two.channels(), ['fence']);
    },
  },
  {
    name: 'a channel can be left and joined again, many times',
    async run(party) {
      const [one, two] = [await party.join(), await party.join()];
      for (const round of numbered(20)) {
        await two.subscribe('room');
        await one.publish('room', round);
        await two.hears('room', numbered(Number(round) + 1));
        await two.unsubscribe('room');
      }
    },
  },
  {
    name: 'bytes arrive as they were: none, all values, many',
    async run(party, { maxPayload = 1_000_000 }) {
      const [one, two] = [await party.join(), await party.join()];
      await two.subscribe('bytes');
      const all = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
      const payloads = [Buffer.alloc(0), all, Buffer.from('{"é": "你好"}'), Buffer.alloc(maxPayload, all)];
      for (const payload of payloads) await one.publish('bytes', payload);
      await two.counts('bytes', payloads.length);
      for (const [index, payload] of payloads.entries()) {
        assert.ok(
          two.heardBytes('bytes')[index]?.equals(payload),
          `payload of ${payload.length} bytes is unchanged`,
        );
      }
    },
  },
  {
    name: 'a message that is too large is refused, or arrives; the next one arrives',
    async run(party, { maxPayload = 1_000_000 }) {
      const [one, two] = [await party.join(), await party.join()];
      await two.subscribe('room');
      const large = 'x'.repeat(4 * maxPayload);
      const wasTaken = await party.soon(
        one.publish('room', large).then(
          () => true,
          () => false,
        ),
        'publish settles',
      );
      await one.publish('room', 'next');
      await party.until(
        () => two.heard('room').includes('next'),
        () => 'the message after the large one',
      );
      if (wasTaken)
        assert.ok(two.heard('room')[0] === large, 'a large message that publish has taken arrives');
    },
  },
  {
    name: 'any string is the name of a channel, and no two are the same',
    async run(party) {
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
      const [one, two] = [await party.join(), await party.join()];
      for (const name of names) await two.subscribe(name);
      for (const name of names) await one.publish(name, name);
      for (const name of names) await two.hears(name, [name]);
    },
  },
  {
    name: 'many channels at a time',
    async run(party) {
      const [one, two] = [await party.join(), await party.join()];
      const names = numbered(200);
      await Promise.all(names.map((name) => two.subscribe(name)));
      await Promise.all(names.map((name) => one.publish(name, name)));
      for (const name of names) await two.hears(name, [name]);
      await Promise.all(names.map((name) => two.unsubscribe(name)));
    },
  },
  {
    name: 'a flood on one channel keeps its order, and takes no other with it',
    async run(party) {
      const [one, two] = [await party.join(), await party.join()];
      await two.subscribe('flood');
      await two.subscribe('other');
      const messages = numbered(FLOOD);
      const flooding = Promise.all(messages.map((message) => one.publish('flood', message)));
      const other = one.publish('other', 'me, too');
      await two.hears('other', ['me, too']);
      await party.soon(flooding, 'publish resolves');
      await party.soon(other, 'publish resolves');
      await two.hears('flood', messages);
    },
  },
  {
    name: 'after close nothing is taken and nothing comes, and the others go on',
    async run(party) {
      const [one, two, three] = [await party.join(), await party.join(), await party.join()];
      await two.subscribe('room');
      await three.subscribe('room');
      await two.backplane.close();
      await two.backplane.close();
      await assert.rejects(two.publish('room', 'from the dead'), 'publish rejects after close');
      await assert.rejects(two.subscribe('other'), 'subscribe rejects after close');
      await one.publish('room', 'to the living');
      await three.hears('room', ['to the living']);
      assert.deepEqual(two.channels(), []);
    },
  },
  {
    name: 'close lets go out what was published before',
    async run(party) {
      const [one, two] = [await party.join(), await party.join()];
      await two.subscribe('room');
      const messages = numbered(100);
      const publishing = Promise.all(messages.map((message) => one.publish('room', message)));
      // Handled below; it may reject while we wait for `close`.
      publishing.catch(() => {});
      await party.soon(one.backplane.close(), 'close resolves');
      await party.soon(publishing, 'publish resolves for what came before close');
      await two.hears('room', messages);
    },
  },
  {
    name: 'groups over it: text, bytes and close reach the members of other processes, and own ones once',
    async run(party) {
      const [here, there] = [await joinGroups(party), await joinGroups(party)];
      const own = new FakeMember();
      const other = new FakeMember();
      await here.group('room').add(own);
      assert.equal(await there.group('room').add(other), true, 'add resolves with true');
      await here.group('room').send('text');
      await here.group('room').send(Buffer.from([0, 255]));
      await there.group('room').send('back');
      await party.until(
        () => own.got.length + other.got.length === 6,
        () => 'six messages at two members',
      );
      assert.deepEqual(own.got, ['text', Buffer.from([0, 255]), 'back']);
      // Between the two senders any order is right.
      assert.deepEqual(
        other.got.filter((message) => message !== 'back'),
        ['text', Buffer.from([0, 255])],
      );
      await here.group('room').close(4000, 'over');
      await party.until(
        () => other.closedWith !== undefined,
        () => 'a close at the other member',
      );
      assert.deepEqual([own.closedWith, other.closedWith], ['4000 over', '4000 over']);
    },
  },
];

const IN_OUTAGES: readonly Case[] = [
  {
    name: 'an outage is told once, and so is its end, when subscriptions are in force again',
    async run(party, { outage }) {
      const [one, two] = [await party.join(), await party.join()];
      await two.subscribe('room');
      await outage?.begin();
      await one.isCutOff();
      await two.isCutOff();
      await outage?.end();
      await one.isBack();
      await two.isBack();
      await one.publish('room', 'after');
      await party.until(
        () => two.heard('room').includes('after'),
        () => 'the message after the outage',
      );
      assert.deepEqual(
        [one.told, two.told],
        [
          ['cutOff', 'back'],
          ['cutOff', 'back'],
        ],
      );
    },
  },
  {
    name: 'many channels are there again after an outage, and those that were left are not',
    async run(party, { outage }) {
      const [one, two] = [await party.join(), await party.join()];
      const names = numbered(CHANNELS);
      await Promise.all([...names, 'left'].map((name) => two.subscribe(name)));
      await outage?.begin();
      await one.isCutOff();
      await two.isCutOff();
      await two.unsubscribe('left');
      await outage?.end();
      await one.isBack();
      await two.isBack();
      await Promise.all(['left', ...names].map((name) => one.publish(name, name)));
      for (const name of names) await two.hears(name, [name]);
      assert.deepEqual(two.heard('left'), [], 'the messages on a channel that was left');
    },
  },
  {
    name: 'in an outage no more is kept than maxBuffered says, and later messages arrive',
    async run(party, { outage, maxBuffered = 2 ** 24 }) {
      const [one, two] = [await party.join(), await party.join()];
      await two.subscribe('room');
      await outage?.begin();
      await one.isCutOff();
      const large = 'x'.repeat(Math.min(maxBuffered / 4, 500_000));
      const count = Math.ceil((2 * maxBuffered) / large.length);
      const publishing = Array.from({ length: count }, () => one.publish('room', large));
      const results = await party.soon(Promise.allSettled(publishing), 'publish settles');
      const kept = results.filter(({ status }) => status === 'fulfilled').length * large.length;
      assert.ok(kept <= maxBuffered, `${kept} bytes are kept, and maxBuffered is ${maxBuffered}`);
      await outage?.end();
      await one.isBack();
      await two.isBack();
      await party.until(
        () => two.heardBytes('room').length * large.length >= kept,
        () => 'what was kept',
      );
      await one.publish('room', 'after');
      await party.until(
        () => two.heard('room').includes('after'),
        () => 'the message after the outage',
      );
    },
  },
  {
    name: 'in an outage publish settles soon, and says that nothing has left',
    async run(party, { outage, keepsMissed }) {
      const one = await party.join();
      await outage?.begin();
      await one.isCutOff();
      const result = await party.soon(
        one.publish('room', 'into the dark').then(String, () => 'rejected'),
        'publish settles',
      );
      assert.equal(result, keepsMissed === true ? 'later' : 'rejected');
      await outage?.end();
      await one.isBack();
    },
  },
  {
    name: 'an outage that was there before the start is told, too, and so is its end',
    async run(party, { outage }) {
      const backplanes = [await party.make(), await party.make()] as const;
      await outage?.begin();
      const [one, two] = [party.start(backplanes[0]), party.start(backplanes[1])];
      await one.isCutOff();
      await two.isCutOff();
      await outage?.end();
      await one.isBack();
      await two.isBack();
      await two.subscribe('room');
      await one.publish('room', 'after');
      await two.hears('room', ['after']);
      assert.deepEqual(
        [one.told, two.told],
        [
          ['cutOff', 'back'],
          ['cutOff', 'back'],
        ],
      );
    },
  },
  {
    name: 'close resolves soon in an outage, and publish rejects after it',
    async run(party, { outage }) {
      const one = await party.join();
      await one.subscribe('room');
      await outage?.begin();
      await one.isCutOff();
      const publishing = one.publish('room', 'into the dark').catch(() => {});
      await party.soon(one.backplane.close(), 'close resolves in an outage');
      await party.soon(publishing, 'publish settles');
      await assert.rejects(one.publish('room', 'from the dead'), 'publish rejects after close');
    },
  },
  {
    name: 'what is subscribed or left in an outage counts after it',
    async run(party, { outage }) {
      const [here, there] = [await joinGroups(party), await joinGroups(party)];
      const [early, late] = [new FakeMember(), new FakeMember()];
      await there.group('left').add(early);
      await outage?.begin();
      await party.until(
        () => here.isCutOff() && there.isCutOff(),
        () => 'both know of the outage',
      );
      assert.equal(await party.soon(there.group('joined').add(late), 'add settles'), false);
      there.group('left').delete(early);
      await outage?.end();
      await party.until(
        () => !here.isCutOff() && !there.isCutOff(),
        () => 'both are back',
      );
      assert.equal(await party.soon(there.group('joined').add(late), 'add settles'), true);
      await here.group('left').send('nobody is here');
      await here.group('joined').send('welcome');
      await party.until(
        () => late.got.length > 0,
        () => 'a message at the member that joined in the outage',
      );
      assert.deepEqual([early.got, late.got], [[], ['welcome']]);
    },
  },
];

const WHEN_NOT_KEPT: readonly Case[] = [
  {
    name: 'what was refused in an outage does not come after it',
    async run(party, { outage }) {
      const [one, two] = [await party.join(), await party.join()];
      await two.subscribe('room');
      await outage?.begin();
      await one.isCutOff();
      await two.isCutOff();
      await assert.rejects(one.publish('room', 'into the dark'), 'publish rejects in an outage');
      await outage?.end();
      await one.isBack();
      await two.isBack();
      await one.publish('room', 'after');
      await party.until(
        () => two.heard('room').includes('after'),
        () => 'the message after the outage',
      );
      await party.quiet();
      assert.deepEqual(two.heard('room'), ['after']);
    },
  },
];

const WHEN_KEPT: readonly Case[] = [
  {
    name: 'what is sent before, in and after an outage arrives, in order',
    async run(party, { outage }) {
      const [one, two] = [await party.join(), await party.join()];
      await two.subscribe('room');
      const messages = numbered(300);
      const part = async (from: number, to: number): Promise<void> => {
        await Promise.all(messages.slice(from, to).map((message) => one.publish('room', message)));
      };
      await part(0, 100);
      await outage?.begin();
      await part(100, 200);
      await one.isCutOff();
      await outage?.end();
      await part(200, 300);
      // Some may come twice around an outage; groups count them once.
      const heard = (): string[] => [...new Set(two.heard('room'))];
      await party.until(
        () => heard().length === messages.length,
        () => `${messages.length} messages; there are ${heard().length}`,
      );
      assert.deepEqual(heard(), messages);
    },
  },
];

async function joinGroups(party: Party): Promise<Groups> {
  const groups = createGroups({ backplane: await party.make() });
  party.atEnd(() => groups.close());
  return groups;
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
