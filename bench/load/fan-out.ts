import { Connection, openMany, type Target } from './connection.js';
import { encodeFrame, Opcode } from './frames.js';

export interface FanOutPlan {
  members: number;
  /** Messages that each trigger sends to each member. */
  burst: number;
}

const TRIGGERS_IN_FLIGHT = 2;
const CYCLE = 64;

/** One connection triggers, all others must get the messages, each and in order. */
export class FanOutLoad {
  readonly #plan: FanOutPlan;
  readonly #members: Connection[];
  readonly #trigger: Connection;
  readonly #triggers: Buffer[] = [];
  /** What each member must get in a cycle, over and over. */
  readonly #expected: Buffer;
  #bytes = 0;
  #triggered = 0;

  private constructor(plan: FanOutPlan, members: Connection[], trigger: Connection) {
    this.#plan = plan;
    this.#members = members;
    this.#trigger = trigger;
    const expected: Buffer[] = [];
    for (let index = 0; index < CYCLE; index++) {
      const text = `number ${String(index).padStart(4, '0')}, sent to all of you`;
      this.#triggers.push(encodeFrame(Opcode.text, Buffer.from(text), true));
      for (let message = 0; message < plan.burst; message++) {
        expected.push(encodeFrame(Opcode.text, Buffer.from(text + String(message % 10)), false));
      }
    }
    this.#expected = Buffer.concat(expected);
  }

  static async start(target: Target, plan: FanOutPlan): Promise<FanOutLoad> {
    const members = await openMany(plan.members, () => Connection.open({ ...target, path: '/member' }));
    const load = new FanOutLoad(plan, members, await Connection.open({ ...target, path: '/trigger' }));
    for (const member of members) load.#listen(member);
    for (let index = 0; index < TRIGGERS_IN_FLIGHT; index++) load.#send();
    return load;
  }

  /** Deliveries so far. */
  get count(): number {
    return Math.floor(this.#bytes / (this.#expected.length / CYCLE / this.#plan.burst));
  }

  stop(): void {
    for (const connection of [this.#trigger, ...this.#members]) connection.destroy();
  }

  #listen(member: Connection): void {
    const expected = this.#expected;
    const bytesPerTrigger = (expected.length / CYCLE) * this.#plan.members;
    let at = 0;
    member.receive = (chunk) => {
      for (let done = 0; done < chunk.length;) {
        const count = Math.min(chunk.length - done, expected.length - at);
        if (chunk.compare(expected, at, at + count, done, done + count) !== 0) {
          throw new Error(`a wrong message: ${chunk.toString('latin1', done, done + count)}`);
        }
        done += count;
        at = (at + count) % expected.length;
      }
      const before = Math.floor(this.#bytes / bytesPerTrigger);
      this.#bytes += chunk.length;
      if (Math.floor(this.#bytes / bytesPerTrigger) > before) this.#send();
    };
  }

  #send(): void {
    this.#trigger.socket.write(this.#triggers[this.#triggered++ % CYCLE] as Buffer);
  }
}
