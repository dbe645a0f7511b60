import { type Backplane, type BackplaneEvents, MemoryHub } from 'dwebsocket/groups';
import { backplaneContract } from 'dwebsocket/testing';
import { describe, expect, test } from 'vitest';

/** Adds a fault to a correct backplane. */
type Fault = (right: Backplane) => Partial<Backplane>;

/** Returns the cases of the contract by name, for a faulty backplane in memory. */
function casesOf(addFault: Fault): Map<string, () => Promise<void>> {
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
      return { ...methods, ...addFault(right) };
    },
    outage: { begin: () => hub.cutOff(), end: () => hub.restore() },
    maxPayload: 10_000,
    patience: 1_000,
  });
  return cases;
}

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Creates a backplane that changes the events of a correct one. */
const changeEvents =
  (change: (events: BackplaneEvents) => Partial<BackplaneEvents>): Fault =>
  (right) => ({ start: (events) => right.start({ ...events, ...change(events) }) });

const faults: [fault: string, caseName: string, addFault: Fault][] = [
  [
    'delivers each message again a little later',
    'messages of one process on one channel arrive once and in order',
    changeEvents((events) => ({
      message(channel, data) {
        events.message(channel, data);
        setTimeout(() => events.message(channel, data), 50);
      },
    })),
  ],
  [
    'accepts a message that is too large, and drops it',
    'a message above maxPayload is refused or arrives, and the next message arrives',
    (right) => ({
      publish: async (channel, data) =>
        data.length > 10_000 ? undefined : await right.publish(channel, data),
    }),
  ],
  [
    'drops unsent messages when it closes',
    'close sends earlier messages first',
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
    'reports messages as sent that it drops when it closes',
    'close sends earlier messages first',
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
    'does not report an outage that began before its start',
    'an outage that begins before start calls cutOff once, and back once when it ends',
    (right) => ({
      start(events) {
        let isStarting = true;
        right.start({ ...events, cutOff: (error) => (isStarting ? undefined : events.cutOff(error)) });
        isStarting = false;
      },
    }),
  ],
  [
    'throws in start() during an outage',
    'an outage that begins before start calls cutOff once, and back once when it ends',
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
    'reports an outage several times',
    'an outage calls cutOff once, and back once when all channels are subscribed again',
    changeEvents((events) => ({
      cutOff(error) {
        events.cutOff(error);
        events.cutOff(error);
      },
    })),
  ],
  ...(['rejects', 'never resolves'] as const).map((how): [string, string, Fault] => [
    `close ${how} in an outage`,
    'close resolves soon in an outage, and publish rejects afterwards',
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
    'sends messages after an outage that it has refused before',
    'a message that was refused in an outage does not arrive afterwards',
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
    'subscribes only the first channels again after an outage',
    'after an outage many channels are subscribed again, and unsubscribed ones are not',
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
    'keeps messages without a limit in an outage',
    'in an outage at most maxBuffered bytes are kept, and later messages arrive',
    (right) => ({
      publish: (channel, data) => Promise.resolve(right.publish(channel, data)).catch(() => 'later'),
    }),
  ],
  [
    'drops messages when many are sent at a time',
    'many messages on one channel keep their order, and do not stop another channel',
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
    'shortens long names',
    'any string can name a channel, and different strings name different channels',
    (right) => ({
      publish: (channel, data) => right.publish(channel.slice(0, 500), data),
      subscribe: (channel) => right.subscribe(channel.slice(0, 500)),
    }),
  ],
  [
    'still delivers after unsubscribe has resolved',
    'no message arrives on a channel that was never subscribed, or after unsubscribe has resolved',
    (right) => ({
      async unsubscribe(channel) {
        setTimeout(() => void right.unsubscribe(channel), 20);
        return Promise.resolve();
      },
    }),
  ],
  [
    'delivers only messages of members',
    'the people of a group are known in all processes, and leave with their process',
    changeEvents((events) => ({
      message(channel, data) {
        if (channel === 'room') events.message(channel, data);
      },
    })),
  ],
  [
    'delivers nothing after an outage',
    'people who come and go in an outage are known afterwards',
    (right) => {
      let wasCut = false;
      return {
        start: (events) =>
          right.start({
            ...events,
            cutOff(error) {
              wasCut = true;
              events.cutOff(error);
            },
            message(channel, data) {
              if (!wasCut) events.message(channel, data);
            },
          }),
      };
    },
  ],
];

describe('the contract fails for a backplane that', () => {
  test.each(faults)('%s', async (_fault, caseName, addFault) => {
    await casesOf(() => ({})).get(caseName)!();
    await expect(casesOf(addFault).get(caseName)!()).rejects.toThrow();
  });
});
