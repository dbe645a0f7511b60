import { Connection, openMany, type Target } from './connection.js';
import { Script, type ScriptPlan } from './script.js';

export interface EchoPlan extends ScriptPlan {
  connections: number;
  /** Messages in flight on each connection; with `walkers` set, on all together. */
  inFlight: number;
  /**
   * The messages in flight walk from connection to connection: the load is the same however many there are, and each
   * of them takes part.
   */
  walking?: boolean;
}

/** Keeps a number of messages in flight: each reply, once checked, is followed by the next request. */
export class EchoLoad {
  #messages = 0;
  readonly #talks: Talk[] = [];
  readonly #script: Script;

  constructor(plan: EchoPlan) {
    this.#script = new Script(plan);
  }

  static async start(target: Target, plan: EchoPlan): Promise<EchoLoad> {
    const load = new EchoLoad(plan);
    await load.#open(target, plan);
    const talks = load.#talks;
    if (plan.walking === true) {
      for (let walker = 0; walker < plan.inFlight; walker++) {
        (talks[walker % talks.length] as Talk).send(1);
      }
    } else {
      for (const talk of talks) talk.send(plan.inFlight);
    }
    return load;
  }

  /** Echoes so far. */
  get count(): number {
    return this.#messages;
  }

  stop(): void {
    for (const { connection } of this.#talks) connection.destroy();
  }

  async #open(target: Target, plan: EchoPlan): Promise<void> {
    const connections = await openMany(plan.connections, (index) =>
      Connection.open({
        ...target,
        path: `${target.path}${target.path.includes('?') ? '&' : '?'}${String(index)}`,
      }),
    );
    for (const [index, connection] of connections.entries()) {
      const next = plan.walking === true ? (index + plan.inFlight) % plan.connections : index;
      const talk = new Talk(connection, this.#script, index, (replies) => {
        this.#messages += replies;
        (this.#talks[next] as Talk).send(replies);
      });
      this.#talks.push(talk);
    }
  }
}

/** One connection and where it is in the script. Each begins elsewhere, so that they don't say the same at once. */
class Talk {
  readonly connection: Connection;
  readonly #script: Script;
  #next: number;
  #received: number;

  constructor(connection: Connection, script: Script, first: number, onReplies: (count: number) => void) {
    this.connection = connection;
    this.#script = script;
    this.#next = first;
    this.#received = first * script.replySize;
    connection.receive = (chunk) => {
      script.check(chunk, this.#received);
      const before = Math.floor(this.#received / script.replySize);
      this.#received += chunk.length;
      const replies = Math.floor(this.#received / script.replySize) - before;
      if (replies > 0) onReplies(replies);
    };
  }

  send(count: number): void {
    const { socket } = this.connection;
    socket.write(this.#script.requests(this.#next, count));
    this.#next += count;
  }
}
