import { Connection, openMany, type Target } from './connection.js';
import { Script, type ScriptPlan } from './script.js';

export interface LatencyPlan extends ScriptPlan {
  connections: number;
  /** Messages a second, of all connections together. */
  rate: number;
  warmUp: number;
  seconds: number;
}

/** Milliseconds from the moment a message was due to its echo. */
export interface Latency {
  p50: number;
  p99: number;
  messages: number;
}

/**
 * Sends at a fixed rate, like users do, and does not wait for replies. It measures from the time at which a message was
 * due. So a server that stalls is charged for all messages that had to wait (no coordinated omission).
 */
export async function measureLatency(target: Target, plan: LatencyPlan): Promise<Latency> {
  const script = new Script(plan);
  const roundTrips: number[] = [];
  const connections = await openMany(plan.connections, async () => {
    const connection = await Connection.open(target);
    return new TimedConnection(connection, script, (roundTrip) => roundTrips.push(roundTrip));
  });
  await sendAtRate(connections, plan.rate, plan.warmUp);
  roundTrips.length = 0;
  await sendAtRate(connections, plan.rate, plan.seconds);
  for (const { connection } of connections) connection.destroy();
  const sorted = Float64Array.from(roundTrips).sort();
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), messages: sorted.length };
}

class TimedConnection {
  readonly connection: Connection;
  readonly #script: Script;
  readonly #due: number[] = [];
  #next = 0;
  #received = 0;

  constructor(connection: Connection, script: Script, onRoundTrip: (milliseconds: number) => void) {
    this.connection = connection;
    this.#script = script;
    connection.receive = (chunk) => {
      script.check(chunk, this.#received);
      const before = Math.floor(this.#received / script.replySize);
      this.#received += chunk.length;
      const now = performance.now();
      for (let replies = Math.floor(this.#received / script.replySize) - before; replies > 0; replies--) {
        onRoundTrip(now - (this.#due.shift() as number));
      }
    };
  }

  send(due: number): void {
    this.#due.push(due);
    this.connection.socket.write(this.#script.requests(this.#next++, 1));
  }
}

// Checks the clock in every turn of the event loop: the millisecond of a timer would dominate the result.
function sendAtRate(connections: TimedConnection[], rate: number, seconds: number): Promise<void> {
  const start = performance.now();
  const total = Math.round(rate * seconds);
  let sent = 0;
  return new Promise((resolve) => {
    const turn = () => {
      const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * rate));
      for (; sent < due; sent++) {
        (connections[sent % connections.length] as TimedConnection).send(start + ((sent + 1) / rate) * 1000);
      }
      if (sent < total) setImmediate(turn);
      else setTimeout(resolve, 200);
    };
    turn();
  });
}
