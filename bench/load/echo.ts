import { Connection, openMany, type Target } from './connection.js';
import { Script, type ScriptPlan } from './script.js';

export interface EchoPlan extends ScriptPlan {
  connections: number;
  /** Messages in flight on each connection; with `rotating`, on all connections together. */
  inFlight: number;
  /**
   * Sends the next request on another connection. So the load is the same for any number of connections, and all of them
   * take part.
   */
  rotating?: boolean;
}

/** Keeps a number of messages in flight: checks each reply, then sends the next request. */
export class EchoLoad {
  #messages = 0;
  readonly #connections: ScriptedConnection[] = [];
  readonly #script: Script;

  constructor(plan: EchoPlan) {
    this.#script = new Script(plan);
  }

  static async start(target: Target, plan: EchoPlan): Promise<EchoLoad> {
    const load = new EchoLoad(plan);
    await load.#open(target, plan);
    const connections = load.#connections;
    if (plan.rotating === true) {
      for (let request = 0; request < plan.inFlight; request++) {
        (connections[request % connections.length] as ScriptedConnection).send(1);
      }
    } else {
      for (const connection of connections) connection.send(plan.inFlight);
    }
    return load;
  }

  /** The number of echoes so far. */
  get count(): number {
    return this.#messages;
  }

  stop(): void {
    for (const { connection } of this.#connections) connection.destroy();
  }

  async #open(target: Target, plan: EchoPlan): Promise<void> {
    const connections = await openMany(plan.connections, (index) =>
      Connection.open({
        ...target,
        path: `${target.path}${target.path.includes('?') ? '&' : '?'}${String(index)}`,
      }),
    );
    for (const [index, connection] of connections.entries()) {
      const next = plan.rotating === true ? (index + plan.inFlight) % plan.connections : index;
      const scripted = new ScriptedConnection(connection, this.#script, index, (replies) => {
        this.#messages += replies;
        (this.#connections[next] as ScriptedConnection).send(replies);
      });
      this.#connections.push(scripted);
    }
  }
}

/** One connection and its position in the script. Each begins at another message, so that they differ at all times. */
class ScriptedConnection {
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
