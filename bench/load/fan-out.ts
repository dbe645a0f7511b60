import { Connection, inRole, openMany, type Target } from './connection.js';
import { encodeMessage } from './script.js';

export interface FanOutPlan {
  /** How many groups there are. They begin with different servers. */
  groups: number;
  /** On how many of the servers a group has members. */
  spread: number;
  /** Members of a group on each of its servers. */
  members: number;
  /** Messages that each trigger sends to each member of its group. */
  burst: number;
  /** Triggers of a group in flight; at most {@link CYCLE}. */
  inFlight: number;
  /** Milliseconds until each server knows its members. */
  settle: number;
}

/** The number of different triggers. They repeat in this order. */
const CYCLE = 64;

/** In each group one connection triggers messages, and all members must receive all of them, in order. */
export class FanOutLoad {
  readonly #groups: GroupLoad[];

  private constructor(groups: GroupLoad[]) {
    this.#groups = groups;
  }

  static async start(targets: readonly Target[], plan: FanOutPlan): Promise<FanOutLoad> {
    const groups = await openMany(plan.groups, async (group) => {
      const serverAt = (step: number) => targets[(group + step) % targets.length] as Target;
      const members = await openMany(plan.members * plan.spread, (index) =>
        Connection.open(inRole(serverAt(index % plan.spread), 'member', group)),
      );
      const sender = await Connection.open(inRole(serverAt(0), 'sender', group));
      return new GroupLoad(serverAt(0), plan, members, sender);
    });
    await new Promise((resolve) => setTimeout(resolve, plan.settle));
    for (const group of groups) group.start();
    return new FanOutLoad(groups);
  }

  /** The number of deliveries so far: messages times members that received them. */
  get count(): number {
    return this.#groups.reduce((sum, group) => sum + group.count, 0);
  }

  stop(): void {
    for (const group of this.#groups) group.stop();
  }
}

class GroupLoad {
  readonly #plan: FanOutPlan;
  readonly #members: Connection[];
  readonly #sender: Connection;
  readonly #triggers: Buffer[] = [];
  /** The bytes that each member must receive in a cycle. They repeat. */
  readonly #expected: Buffer;
  /** For each trigger in flight, how many members have not received all of its messages. */
  readonly #missing = new Array<number>(CYCLE).fill(0);
  #triggered = 0;
  #delivered = 0;

  constructor(
    { dialect }: Pick<Target, 'dialect'>,
    plan: FanOutPlan,
    members: Connection[],
    sender: Connection,
  ) {
    this.#plan = plan;
    this.#members = members;
    this.#sender = sender;
    const form = { dialect, binary: false };
    const expected: Buffer[] = [];
    for (let index = 0; index < CYCLE; index++) {
      const text = `number ${String(index).padStart(4, '0')}, sent to all of you`;
      this.#triggers.push(encodeMessage(form, Buffer.from(text), true));
      for (let message = 0; message < plan.burst; message++) {
        expected.push(encodeMessage(form, Buffer.from(text + String(message % 10)), false));
      }
    }
    this.#expected = Buffer.concat(expected);
    for (const member of members) this.#listen(member);
  }

  get count(): number {
    return this.#delivered;
  }

  start(): void {
    for (let index = 0; index < this.#plan.inFlight; index++) this.#send();
  }

  stop(): void {
    for (const connection of [this.#sender, ...this.#members]) connection.destroy();
  }

  #listen(member: Connection): void {
    const expected = this.#expected;
    const bytesOfTrigger = expected.length / CYCLE;
    let at = 0;
    let bytes = 0;
    let got = 0;
    member.receive = (chunk) => {
      for (let done = 0; done < chunk.length;) {
        const count = Math.min(chunk.length - done, expected.length - at);
        if (chunk.compare(expected, at, at + count, done, done + count) !== 0) {
          throw new Error(
            `received a wrong message: ${chunk.toString('latin1', done, done + count).slice(0, 200)}`,
          );
        }
        done += count;
        at = (at + count) % expected.length;
      }
      bytes += chunk.length;
      for (const all = Math.floor(bytes / bytesOfTrigger); got < all; got++) this.#memberHas(got);
    };
  }

  #memberHas(trigger: number): void {
    this.#delivered += this.#plan.burst;
    const slot = trigger % CYCLE;
    const missing = (this.#missing[slot] as number) - 1;
    this.#missing[slot] = missing;
    if (missing === 0) this.#send();
  }

  #send(): void {
    const slot = this.#triggered++ % CYCLE;
    this.#missing[slot] = this.#members.length;
    this.#sender.socket.write(this.#triggers[slot] as Buffer);
  }
}
