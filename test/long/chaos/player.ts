/** One process of a chaos run: it sends to rooms over its backplanes, and notes all that it sends, gets and is told. */
import { createGroups, type Groups, type Member } from 'dwebsocket/groups';
import { backplanesOf } from './backplanes.js';
import { pause } from './pause.js';
import {
  type Answer,
  type Gap,
  type Kind,
  type Order,
  type PlayerOptions,
  type RoomReport,
  type SentMessage,
  type SideReport,
  type Status,
} from './protocol.js';
import { Random } from './random.js';

const options = JSON.parse(process.argv[2]!) as PlayerOptions;
const { index } = options;
const random = new Random(options.seed + index);

const tell = (answer: Answer): void => void process.send?.(answer);

/** Some messages are too large for a notification of PostgreSQL. */
const LARGE = `:${'x'.repeat(10_000)}`;
const LARGE_SHARE = 10;

let received = 0;
let highestRss = 0;

/** What one member gets of a room; from each process 0, 1, 2, … unless it is told of a loss. */
class Listener implements Member {
  readonly closed = new Promise<never>(() => {});
  readonly gaps: Gap[] = [];
  readonly #room: string;
  readonly #last = new Map<number, number>();

  constructor(room: string) {
    this.#room = room;
  }

  send(message: string | Buffer): void {
    received++;
    const [sender = 0, number = 0] = String(message).split(':').map(Number);
    const last = this.#last.get(sender) ?? -1;
    if (number <= last) {
      tell({ fault: `${this.#room} of process ${index}: ${number} of process ${sender} came after ${last}` });
      return;
    }
    if (number > last + 1) this.gaps.push({ sender, from: last + 1, to: number - 1, seen: Date.now() });
    this.#last.set(sender, number);
  }
}

class Room {
  readonly name: string;
  readonly #kind: Kind;
  readonly #earlierGaps: Gap[] = [];
  listener: Listener;
  readonly sent: { time: number; fate: SentMessage['fate'] | undefined }[] = [];
  readonly missed: number[] = [];
  dropped = 0;
  joined = 0;
  #groups: Groups;

  constructor(groups: Groups, kind: Kind, number: number) {
    this.#groups = groups;
    this.#kind = kind;
    this.name = `room ${number}`;
    this.listener = new Listener(`${kind}, ${this.name}`);
  }

  async join(): Promise<void> {
    while (!(await this.#groups.group(this.name).add(this.listener))) await pause(100);
    this.joined = Date.now();
  }

  /** Goes on with other groups. The member of the closed ones has left. */
  async rejoin(groups: Groups): Promise<void> {
    this.#earlierGaps.push(...this.listener.gaps.map((gap) => ({ ...gap, joined: this.joined })));
    this.listener = new Listener(`${this.#kind}, ${this.name}`);
    this.#groups = groups;
    await this.join();
  }

  /** @param more Text behind the numbers. */
  async send(more = ''): Promise<boolean> {
    const message: Room['sent'][number] = { time: Date.now(), fate: undefined };
    const number = this.sent.push(message) - 1;
    const { backplane } = await this.#groups.group(this.name).send(`${index}:${number}${more}`);
    message.fate = String(backplane) as SentMessage['fate'];
    return backplane === true;
  }

  report(): RoomReport {
    const { sent, joined, missed, dropped } = this;
    return {
      sent: sent as SentMessage[],
      joined,
      missed,
      dropped,
      gaps: [...this.#earlierGaps, ...this.listener.gaps],
    };
  }
}

/** Everything over one of the backplanes. */
class Side {
  groups!: Groups;
  readonly #kind: Kind;
  readonly rooms: readonly Room[];
  readonly #outages: { from: number; to: number }[] = [];
  readonly #crowd = new Map<string, Member>();
  #isSending = true;

  constructor(kind: Kind, groups: Groups) {
    this.#kind = kind;
    this.#use(groups);
    this.rooms = Array.from({ length: options.rooms }, (_, number) => new Room(groups, kind, number));
  }

  #use(groups: Groups): void {
    this.groups = groups;
    const roomOf = (name: string) => this.rooms.find((room) => room.name === name);
    groups.on('cutOff', () => this.#outages.push({ from: Date.now(), to: Infinity }));
    groups.on('back', () => (this.#outages.at(-1)!.to = Date.now()));
    groups.on('missed', ({ group }) => roomOf(group)?.missed.push(Date.now()));
    groups.on('dropped', ({ group, count }) => {
      const room = roomOf(group);
      if (room !== undefined) room.dropped += count;
    });
    groups.on('refused', (error) => tell({ fault: `process ${index}, ${this.#kind}: ${error.message}` }));
  }

  /** Closes the groups, as at the end of an app, and goes on with new ones. */
  async reopen(): Promise<void> {
    await this.groups.close();
    const groups = createGroups({ backplane: await createBackplane(this.#kind) });
    this.#use(groups);
    await Promise.all(this.rooms.map((room) => room.rejoin(groups)));
  }

  async talk(): Promise<void> {
    while (this.#isSending) {
      void random.pick(this.rooms).send(random.between(1, LARGE_SHARE) === 1 ? LARGE : '');
      await pause(options.pace);
    }
  }

  flood(room: number, count: number): Promise<unknown> {
    return Promise.all(Array.from({ length: count }, () => this.rooms[room]!.send()));
  }

  stop(): void {
    this.#isSending = false;
  }

  /** Each room gets one more message that arrives, so that what is missing before it shows. */
  async finish(): Promise<void> {
    await Promise.all(
      this.rooms.map(async (room) => {
        while (!(await room.send())) await pause(100);
      }),
    );
  }

  async joinCrowd(count: number): Promise<void> {
    for (let start = 0; start < count; start += 1_000) {
      const joining = Array.from({ length: Math.min(1_000, count - start) }, (_, offset) => {
        const name = `crowd ${index} ${start + offset}`;
        const member = { closed: new Promise<never>(() => {}), send: () => {} };
        this.#crowd.set(name, member);
        return this.groups.group(name).add(member);
      });
      await Promise.all(joining);
    }
  }

  leaveCrowd(): void {
    for (const [name, member] of this.#crowd) this.groups.group(name).delete(member);
    this.#crowd.clear();
  }

  report(): SideReport {
    return { rooms: this.rooms.map((room) => room.report()), outages: this.#outages };
  }
}

const createBackplane = backplanesOf(options);
const sides = new Map<Kind, Side>();
for (const kind of options.kinds)
  sides.set(kind, new Side(kind, createGroups({ backplane: await createBackplane(kind) })));
const all = [...sides.values()];

setInterval(() => (highestRss = Math.max(highestRss, process.memoryUsage().rss)), 50).unref();

function readStatus(): Status {
  return {
    cutOff: options.kinds.filter((kind) => sides.get(kind)!.groups.isCutOff()),
    rss: highestRss,
    heap: process.memoryUsage().heapUsed,
    received,
  };
}

async function obey(order: Order): Promise<void> {
  switch (order.do) {
    case 'start':
      for (const side of all) void side.talk();
      break;
    case 'flood':
      await Promise.all(all.map((side) => side.flood(order.room, order.count)));
      break;
    case 'join':
      await sides.get(order.kind)!.joinCrowd(order.count);
      break;
    case 'leave':
      sides.get(order.kind)!.leaveCrowd();
      break;
    case 'stop':
      for (const side of all) side.stop();
      break;
    case 'finish':
      await Promise.all(all.map((side) => side.finish()));
      break;
    case 'reopen':
      await Promise.all(all.map((side) => side.reopen()));
      break;
    case 'collect':
      // Groups that are gone are taken out of their map only afterwards, and leave memory for the next time.
      for (let round = 0; round < 3; round++) {
        globalThis.gc?.();
        await pause(50);
      }
      break;
    case 'status':
      tell({ done: order.do, status: readStatus() });
      return;
    case 'report':
      tell({
        done: order.do,
        report: Object.fromEntries([...sides].map(([kind, side]) => [kind, side.report()])),
      });
      return;
    case 'exit':
      await Promise.all(all.map(({ groups }) => groups.close()));
      process.disconnect();
      process.exit(0);
  }
  tell({ done: order.do });
}

process.on('message', (order: Order) => void obey(order));
await Promise.all(all.flatMap(({ rooms }) => rooms.map((room) => room.join())));
tell({ ready: true });
