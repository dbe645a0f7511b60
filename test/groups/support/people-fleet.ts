import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { within } from '../../support/inbox.js';

export interface PeopleFleetOptions {
  readonly processes: number;
  readonly groups: number;
  /** Whether to use Redis Streams. */
  readonly stream: boolean;
}

/** A websocket in a room. */
export interface Seat {
  readonly id: number;
  readonly room: number;
  readonly as: string;
}

export type Command =
  | { do: 'add'; seats: Seat[] }
  | { do: 'remove'; ids: number[] }
  | { do: 'check'; expected: string[]; deadline: number }
  | { do: 'cutOff' | 'back' | 'end' };
export interface Answer {
  readonly number: number;
  readonly result: unknown;
}

export interface Checked {
  /** Entries that are missing or too many. */
  readonly wrong: number;
  /** Since the last check. */
  readonly joins: string[];
  readonly leaves: string[];
  readonly faults: string[];
  /** Published about people since the start. */
  readonly messages: number;
  readonly bytes: number;
}

const WORKER = fileURLToPath(new URL('./people-worker.ts', import.meta.url));
const PATIENCE = 120_000;

/** Several processes with real websockets over one Redis, and who must be there. */
export class PeopleFleet {
  readonly #workers: Worker[];
  readonly #groups: number;
  readonly #seats = new Map<number, Seat & { worker: Worker }>();
  #lastId = 0;
  /** Who is there in each room, at the last check. */
  #there = new Set<string>();

  private constructor(workers: Worker[], groups: number) {
    this.#workers = workers;
    this.#groups = groups;
  }

  static async start(options: PeopleFleetOptions, url: string): Promise<PeopleFleet> {
    const workers = Array.from({ length: options.processes }, () => new Worker({ ...options, url }));
    const fleet = new PeopleFleet(workers, options.groups);
    try {
      await within(Promise.all(workers.map((worker) => worker.started)), 'start of the fleet', PATIENCE);
    } catch (error) {
      await fleet.kill();
      throw error;
    }
    return fleet;
  }

  /**
   * Adds so many websockets. Each person has two, one after the other, and so in two processes. Each room has people in all
   * processes, if there are enough.
   */
  async fill(websockets: number): Promise<void> {
    const count = this.#workers.length;
    const seats = Array.from({ length: websockets }, (_, index) => ({
      id: ++this.#lastId,
      room: Math.floor(index / count) % this.#groups,
      as: `person ${index >> 1}`,
      worker: this.#workers[index % count]!,
    }));
    for (const seat of seats) this.#seats.set(seat.id, seat);
    await this.#sendSeats(seats);
  }

  /** Adds one websocket for a person of this name, somewhere. */
  add(as: string, index: number): Promise<void> {
    const worker = this.#workers[index % this.#workers.length]!;
    const seat = { id: ++this.#lastId, room: (index * 7) % this.#groups, as, worker };
    this.#seats.set(seat.id, seat);
    return this.#sendSeats([seat]);
  }

  /** Removes the websocket that has been there for the longest time. */
  async removeOldest(): Promise<void> {
    const [seat] = this.#seats.values();
    this.#seats.delete(seat!.id);
    await seat!.worker.run({ do: 'remove', ids: [seat!.id] });
  }

  /** Kills a process. Its people are gone. */
  async killOne(): Promise<void> {
    const worker = this.#workers.pop()!;
    for (const [id, seat] of this.#seats) if (seat.worker === worker) this.#seats.delete(id);
    await worker.kill();
  }

  /** Resolves when all processes have noticed that Redis is away, or back. */
  async until(event: 'cutOff' | 'back'): Promise<void> {
    await within(Promise.all(this.#workers.map((worker) => worker.run({ do: event }))), event, PATIENCE);
  }

  /**
   * Waits until the lists of all processes are right, and checks that the events since the last check are exactly the
   * difference.
   *
   * @returns The faults, the milliseconds that it took, and what was published about people since the start.
   */
  async check(
    deadline: number,
  ): Promise<{ faults: string[]; after: number; messages: number; bytes: number }> {
    const began = performance.now();
    const counts = new Map<string, number>();
    for (const { room, as } of this.#seats.values())
      counts.set(`${room} ${as}`, (counts.get(`${room} ${as}`) ?? 0) + 1);
    const expected = [...counts].map(([person, count]) => `${person} ${count}`);
    let after = 0;
    const results = await Promise.all(
      this.#workers.map(async (worker) => {
        const checked = (await worker.run({ do: 'check', expected, deadline })) as Checked;
        after = Math.max(after, performance.now() - began);
        return checked;
      }),
    );
    const there = new Set(counts.keys());
    const joins = [...there].filter((person) => !this.#there.has(person)).sort();
    const leaves = [...this.#there].filter((person) => !there.has(person)).sort();
    this.#there = there;
    const faults = results.flatMap((result, index) => {
      const where = `process ${index}:`;
      return [
        ...result.faults.map((fault) => `${where} ${fault}`),
        ...(result.wrong > 0 ? [`${where} ${result.wrong} entries are wrong after ${deadline} ms`] : []),
        ...describeDifference(`${where} joins`, result.joins, joins),
        ...describeDifference(`${where} leaves`, result.leaves, leaves),
      ];
    });
    const sum = (of: (checked: Checked) => number) =>
      results.reduce((total, result) => total + of(result), 0);
    return {
      faults,
      after: Math.round(after),
      messages: sum((r) => r.messages),
      bytes: sum((r) => r.bytes),
    };
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.end()));
  }

  async kill(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
  }

  async #sendSeats(seats: (Seat & { worker: Worker })[]): Promise<void> {
    await Promise.all(
      this.#workers.map((worker) => {
        const own = seats.filter((seat) => seat.worker === worker);
        return worker.run({ do: 'add', seats: own.map(({ id, room, as }) => ({ id, room, as })) });
      }),
    );
  }
}

function describeDifference(what: string, seen: string[], wanted: string[]): string[] {
  const sorted = [...seen].sort();
  if (JSON.stringify(sorted) === JSON.stringify(wanted)) return [];
  const show = (list: string[]) => `${list.length} (${list.slice(0, 5).join(', ')})`;
  return [`${what}: ${show(sorted)} instead of ${show(wanted)}`];
}

class Worker {
  readonly started: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #waiters = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >();
  #number = 0;

  constructor(options: object) {
    this.#child = spawn(process.execPath, ['--import', 'tsx', WORKER, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.started = this.#waitFor(0);
    this.#child.on('message', ({ number, result }: Answer) => {
      this.#waiters.get(number)?.resolve(result);
      this.#waiters.delete(number);
    });
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiters.values())
        reject(new Error(`a process has ended with ${code ?? signal}`));
      this.#waiters.clear();
    });
  }

  async run(command: Command): Promise<unknown> {
    const number = ++this.#number;
    this.#child.send({ number, command });
    return within(this.#waitFor(number), `answer to ${command.do}`, PATIENCE);
  }

  async end(): Promise<void> {
    const exit = once(this.#child, 'exit');
    try {
      await this.run({ do: 'end' });
      await within(exit, 'end of a process', 30_000);
    } finally {
      await this.kill();
    }
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  #waitFor(number: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#waiters.set(number, { resolve, reject }));
  }
}
