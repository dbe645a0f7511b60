import { type Backplane, type BackplaneEvents, MemoryHub } from 'dwebsocket/groups';
import { backplaneContract } from 'dwebsocket/testing';
import { describe, expect, test } from 'vitest';

/** Makes a fault of a backplane that is right. */
type Break = (right: Backplane) => Partial<Backplane>;

/** The cases of the contract, by their names, for a backplane in memory with a fault. */
function casesOf(breakIt: Break): Map<string, () => Promise<void>> {
  const hub = new MemoryHub();
  const cases = new Map<string, () => Promise<void>>();
  backplaneContract('memory', {
    test: (name, run) => cases.set(name.slice('memory: '.length), run),
    create(): Backplane {
      const right = hub.connect();
      const methods = {
        start: (events: BackplaneEvents) => right.start(events),
        publish: (channel: string, data: Buffer) => right.publish(channel, data),
        subscribe: (channel: string) => right.subscribe(channel),
        unsubscribe: (channel: string) => right.unsubscribe(channel),
        close: () => right.close(),
      };
      return { ...methods, ...breakIt(right) };
    },
    outage: { begin: () => hub.cutOff(), end: () => hub.restore() },
    maxPayload: 10_000,
    patience: 1_000,
  });
  return cases;
}

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A backplane that does something more, or something else, with what the right one tells. */
const tell =
  (change: (events: BackplaneEvents) => Partial<BackplaneEvents>): Break =>
  (right) => ({ start: (events) => right.start({ ...events, ...change(events) }) });

const faults: [fault: string, caseName: string, breakIt: Break][] = [
  [
    'brings each message twice, the second time a little later',
    'messages of one process on one channel keep their order, and come once',
    tell((events) => ({
      message(channel, data) {
        events.message(channel, data);
        setTimeout(() => events.message(channel, data), 50);
      },
    })),
  ],
  [
    'takes a message that is too large, and drops it',
    'a message that is too large is refused, or arrives; the next one arrives',
    (right) => ({
      publish: async (channel, data) =>
        data.length > 10_000 ? undefined : await right.publish(channel, data),
    }),
  ],
  [
    'drops at its close what it has not sent yet',
    'close lets go out what was published before',
    (right) => {
      let isClosed = false;
      return {
        async publish(channel, data) {
          await after(5);
          if (isClosed) throw new Error('dropped');
          await right.publish(channel, data);
        },
        close() {
          isClosed = true;
          return right.close();
        },
      };
    },
  ],
  [
    'says that it has sent what it drops at its close',
    'close lets go out what was published before',
    (right) => {
      let isClosed = false;
      return {
        async publish(channel, data) {
          await after(5);
          if (!isClosed) await right.publish(channel, data);
        },
        close() {
          isClosed = true;
          return right.close();
        },
      };
    },
  ],
  [
    'says nothing of an outage that was there before its start',
    'an outage that was there before the start is told, too, and so is its end',
    (right) => ({
      start(events) {
        let isStarting = true;
        right.start({ ...events, cutOff: (error) => (isStarting ? undefined : events.cutOff(error)) });
        isStarting = false;
      },
    }),
  ],
  [
    'throws at its start when the network is away',
    'an outage that was there before the start is told, too, and so is its end',
    (right) => ({
      start(events) {
        right.start({
          ...events,
          cutOff() {
            throw new Error('there is no network');
          },
        });
      },
    }),
  ],
  [
    'tells an outage again and again',
    'an outage is told once, and so is its end, when subscriptions are in force again',
    tell((events) => ({
      cutOff(error) {
        events.cutOff(error);
        events.cutOff(error);
      },
    })),
  ],
  ...(['rejects', 'never resolves'] as const).map((how): [string, string, Break] => [
    `close ${how} in an outage`,
    'close resolves soon in an outage, and publish rejects after it',
    (right) => {
      let isCut = false;
      return {
        start: (events) =>
          right.start({
            ...events,
            cutOff(error) {
              isCut = true;
              events.cutOff(error);
            },
            back() {
              isCut = false;
              events.back();
            },
          }),
        close() {
          if (!isCut) return right.close();
          return how === 'rejects' ? Promise.reject(new Error('no network')) : new Promise(() => {});
        },
      };
    },
  ]),
  [
    'sends after an outage what it has refused in it',
    'what was refused in an outage does not come after it',
    (right) => {
      const kept: [string, Buffer][] = [];
      return {
        start: (events) =>
          right.start({
            ...events,
            back() {
              events.back();
              for (const [channel, data] of kept.splice(0)) void right.publish(channel, data);
            },
          }),
        publish: (channel, data) =>
          Promise.resolve(right.publish(channel, data)).catch((error: unknown) => {
            kept.push([channel, data]);
            throw error;
          }),
      };
    },
  ],
  [
    'brings back only the first channels after an outage',
    'many channels are there again after an outage, and those that were left are not',
    (right) => {
      const channels: string[] = [];
      return {
        start: (events) =>
          right.start({
            ...events,
            back() {
              for (const channel of channels.slice(1_000)) void right.unsubscribe(channel);
              events.back();
            },
          }),
        subscribe(channel) {
          channels.push(channel);
          return right.subscribe(channel);
        },
      };
    },
  ],
  [
    'keeps all that is sent in an outage',
    'in an outage no more is kept than maxBuffered says, and later messages arrive',
    (right) => ({
      publish: (channel, data) => Promise.resolve(right.publish(channel, data)).catch(() => 'later'),
    }),
  ],
  [
    'drops what is too much for it at a time',
    'a flood on one channel keeps its order, and takes no other with it',
    (right) => {
      let underWay = 0;
      return {
        async publish(channel, data) {
          if (++underWay < 1_000) await right.publish(channel, data);
          await after(1);
          underWay--;
        },
      };
    },
  ],
  [
    'cuts long names',
    'any string is the name of a channel, and no two are the same',
    (right) => ({
      publish: (channel, data) => right.publish(channel.slice(0, 500), data),
      subscribe: (channel) => right.subscribe(channel.slice(0, 500)),
    }),
  ],
  [
    'still delivers when unsubscribe has resolved',
    'nothing comes for a channel that is not subscribed, nor after unsubscribe has resolved',
    (right) => ({
      async unsubscribe(channel) {
        setTimeout(() => void right.unsubscribe(channel), 20);
        return Promise.resolve();
      },
    }),
  ],
];

describe('a backplane is caught that', () => {
  test.each(faults)('%s', async (_fault, caseName, breakIt) => {
    await casesOf(() => ({})).get(caseName)!();
    await expect(casesOf(breakIt).get(caseName)!()).rejects.toThrow();
  });
});
