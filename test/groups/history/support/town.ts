import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { HistoryStart } from 'dwebsocket/groups';
import { WebSocket } from 'ws';
import { Way } from '../../../long/chaos/network.js';
import { pause } from '../../../long/chaos/pause.js';
import type { Random } from '../../../long/chaos/random.js';
import { START, within } from '../../../support/inbox.js';
import { Story } from './story.js';

export const ROOMS = ['north', 'south', 'west'];

export interface WorkerOptions {
  readonly index: number;
  readonly url: string;
  /** The name of the Redis client. */
  readonly client: string;
  /** Milliseconds between two messages. */
  readonly pace: number;
}

export type ToWorker = 'start' | 'stop' | 'finish' | 'status' | 'history' | 'exit';
export type FromWorker = { ready: number } | { done: ToWorker; answer: unknown } | { fault: string };

const WORKER = fileURLToPath(new URL('./town-worker.ts', import.meta.url));

/** A process, and its way to Redis. */
class Worker {
  readonly way: Way;
  readonly port: Promise<number>;
  readonly #child: ChildProcess;
  readonly #answers = new Map<ToWorker, (answer: unknown) => void>();

  constructor(way: Way, options: WorkerOptions, faults: string[]) {
    this.way = way;
    this.#child = spawn(process.execPath, ['--import', 'tsx', WORKER, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.port = within(
      new Promise((resolve) => {
        this.#child.on('message', (message: FromWorker) => {
          if ('ready' in message) resolve(message.ready);
          else if ('fault' in message) faults.push(message.fault);
          else this.#answers.get(message.done)?.(message.answer);
        });
      }),
      'start of a process',
      START,
    );
    this.#child.on('exit', (code, signal) => {
      if (code !== 0) faults.push(`process ${options.index} ended with ${code ?? signal}`);
    });
  }

  tell(order: ToWorker): Promise<unknown> {
    const answer = new Promise((resolve) => this.#answers.set(order, resolve));
    this.#child.send(order);
    return within(answer, `answer to "${order}"`, 60_000);
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit');
      this.#child.send('exit' satisfies ToWorker);
      await within(exit, 'exit', 30_000).catch(() => this.#child.kill('SIGKILL'));
    }
    await this.way.close();
  }
}

/** A client that loses its connection at random, also while it joins, and comes back to any of the processes. */
class Wanderer extends Story {
  readonly room: string;
  readonly #town: Town;
  readonly #random: Random;
  #socket: WebSocket | undefined;
  #staysNow: (() => void) | undefined;
  #isSettling = false;
  #isOver = false;
  /** Resolves when it has got the last message of its room. */
  readonly arrived: Promise<void>;
  #arrive!: () => void;

  constructor(town: Town, random: Random, name: string, room: string) {
    super(name);
    this.room = room;
    this.#town = town;
    this.#random = random;
    this.arrived = new Promise((resolve) => (this.#arrive = resolve));
  }

  async wander(): Promise<void> {
    while (!this.#isSettling) {
      const socket = this.#connect();
      const kind = this.#random.next();
      // Some leave before they are in, some as soon as they are, and some later.
      if (kind > 0.15) await Promise.race([once(socket, 'open'), once(socket, 'close')]).catch(() => {});
      const time = kind < 0.3 ? this.#random.between(0, 10) : this.#random.between(10, 1_500);
      await Promise.race([pause(time), new Promise<void>((resolve) => (this.#staysNow = resolve))]);
      this.#drop();
    }
    this.#stay();
  }

  /** Lets the client stay from now on. */
  settle(): void {
    this.#isSettling = true;
    this.#staysNow?.();
  }

  end(): void {
    this.#isOver = true;
    this.settle();
    this.#drop();
  }

  #stay(): void {
    if (this.#isOver) return;
    const socket = this.#connect();
    socket.once('close', () => {
      if (socket === this.#socket) this.#stay();
    });
  }

  #drop(): void {
    this.#socket?.terminate();
    this.#socket = undefined;
  }

  #connect(): WebSocket {
    const query = this.since === undefined ? '' : `?since=${this.since}`;
    const socket = new WebSocket(
      `ws://127.0.0.1:${this.#random.pick(this.#town.ports)}/${this.room}${query}`,
    );
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('message', (data: Buffer) => {
      if (socket !== this.#socket) return;
      const message = JSON.parse(data.toString()) as HistoryStart | { id: string; end?: true };
      if ('position' in message) {
        this.begin(message);
        return;
      }
      this.take(message.id);
      if (message.end === true) this.#arrive();
    });
    return socket;
  }
}

/** Processes with a history over Redis, and their clients. */
export class Town {
  readonly workers: readonly Worker[];
  readonly clients: readonly Wanderer[];
  readonly faults: string[];
  ports: readonly number[] = [];

  private constructor(workers: readonly Worker[], random: Random, clients: number, faults: string[]) {
    this.workers = workers;
    this.faults = faults;
    this.clients = Array.from(
      { length: clients },
      (_, index) => new Wanderer(this, random, `client ${index}`, ROOMS[index % ROOMS.length]!),
    );
  }

  static async open(port: number, random: Random, { clients = 100, pace = 10 } = {}): Promise<Town> {
    const kinds = ['redis 6', 'ioredis 6', 'redis 5'];
    const faults: string[] = [];
    const workers = await Promise.all(
      kinds.map(async (client, index) => {
        const way = await Way.open(port);
        return new Worker(way, { index, url: `redis://127.0.0.1:${way.port}`, client, pace }, faults);
      }),
    );
    const town = new Town(workers, random, clients, faults);
    town.ports = await Promise.all(workers.map((worker) => worker.port));
    return town;
  }

  async start(): Promise<void> {
    for (const client of this.clients) void client.wander();
    await Promise.all(this.workers.map((worker) => worker.tell('start')));
  }

  /** Resolves when no process is cut off. */
  async untilBack(): Promise<void> {
    const deadline = performance.now() + 30_000;
    for (;;) {
      const cutOff = await Promise.all(this.workers.map((worker) => worker.tell('status')));
      if (!cutOff.includes(true)) return;
      if (performance.now() > deadline) throw new Error('still cut off after 30 s');
      await pause(100);
    }
  }

  /** Ends the sending, and compares what each client got with what its room has. Returns what is wrong. */
  async finish(wasSetBack: boolean): Promise<string[]> {
    await Promise.all(this.workers.map((worker) => worker.tell('stop')));
    await this.untilBack();
    for (const client of this.clients) client.settle();
    for (const worker of this.workers) await worker.tell('finish');
    for (const client of this.clients) {
      await within(client.arrived, 'last message', 60_000).catch(() => {
        this.faults.push(`${client.name} did not get the last message`);
      });
    }
    // The last message of each process.
    await pause(1_000);
    const histories = (await Promise.all(this.workers.map((worker) => worker.tell('history')))) as Record<
      string,
      string[]
    >[];
    const [history, ...others] = histories;
    for (const other of others)
      if (JSON.stringify(other) !== JSON.stringify(history)) this.faults.push('the histories differ');
    for (const client of this.clients) {
      const truth = history![client.room]!.map((id) => ({ id }));
      this.faults.push(...client.judge(truth, wasSetBack));
    }
    return this.faults;
  }

  async end(): Promise<void> {
    for (const client of this.clients) client.end();
    await Promise.all(this.workers.map((worker) => worker.end()));
  }

  get summary(): string {
    const received = this.clients.reduce((sum, client) => sum + client.received, 0);
    const losses = this.clients.reduce((sum, client) => sum + client.losses, 0);
    return `${received} messages came, ${losses} times a client was told of a loss`;
  }

  get losses(): number {
    return this.clients.reduce((sum, client) => sum + client.losses, 0);
  }
}
