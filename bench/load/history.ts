import { setTimeout as pause } from 'node:timers/promises';
import { Client } from './client.js';
import { inRole, openMany, type Target } from './connection.js';

export interface HistoryPlan {
  /** How many groups there are. They begin with different servers. */
  groups: number;
  /** Websockets in each group that lose their connection and come back. One more sends, and stays. */
  members: number;
  /** Bytes of the text of a message. */
  bytes: number;
}

/** How the members came back that had lost their connection. */
export interface Return {
  lost: number;
  /** How many got everything that they had missed. The server told the others that it cannot resume them. */
  resumed: number;
  /** Milliseconds until half of them, and all of them, had everything. */
  half: number;
  all: number;
}

/** Milliseconds without any message after which a wait fails. */
const STALL = 60_000;

/** Messages that all members together have received. */
let arrivals = 0;

/**
 * Sends numbered messages to groups that keep them. Each connected member must receive each number once and in order, also
 * when it comes back.
 */
export class HistoryLoad {
  readonly #targets: readonly Target[];
  readonly #groups: GroupLoad[];
  readonly #dead = new Set<number>();

  private constructor(targets: readonly Target[], groups: GroupLoad[]) {
    this.#targets = targets;
    this.#groups = groups;
  }

  static async start(targets: readonly Target[], plan: HistoryPlan): Promise<HistoryLoad> {
    const groups = await openMany(plan.groups, (name) => GroupLoad.open(name, targets, plan));
    await untilReady(targets, plan.groups);
    return new HistoryLoad(targets, groups);
  }

  /** Sends so many messages to each group. Resolves when all connected members have them. */
  async send(count: number): Promise<void> {
    const sent = Promise.all(this.#groups.map((group) => group.send(count)));
    await within(sent, () => {
      const lacking = this.#groups.filter(({ isSending }) => isSending);
      return `groups with members that lack messages: ${String(lacking.length)}`;
    });
  }

  /** Sends for so many seconds, one message at a time to each group. Resolves when all have arrived. */
  async run(seconds: number): Promise<{ messages: number; seconds: number }> {
    const before = this.#messages;
    const start = performance.now();
    const sent = this.send(Infinity);
    await pause(seconds * 1000);
    for (const group of this.#groups) group.halt();
    await sent;
    return { messages: this.#messages - before, seconds: (performance.now() - start) / 1000 };
  }

  /** Ends the connections of all members at the same moment. */
  lose(): void {
    for (const member of this.#members) member.leave();
  }

  /** From now on, this server may end. What was connected to it counts as lost. */
  expectEnd(server: number): void {
    this.#dead.add(server);
    for (const group of this.#groups) group.expectEnd(server);
  }

  /** Connects all lost members at the same moment, each to the next server that runs. */
  async comeBack(): Promise<Return> {
    const lost = this.#members.filter(({ isAway }) => isAway);
    const start = performance.now();
    const times: number[] = [];
    const returns = lost.map(async (member) => {
      const isResumed = await member.comeBack(this.#nextServer(member.server));
      if (isResumed) times.push(performance.now() - start);
      return isResumed;
    });
    const describe = (): string =>
      `only ${String(times.length)} of ${String(lost.length)} members have come back`;
    const results = await within(Promise.all(returns), describe);
    return {
      lost: lost.length,
      resumed: results.filter(Boolean).length,
      half: times[times.length >> 1] ?? NaN,
      all: times.at(-1) ?? NaN,
    };
  }

  get #members(): Member[] {
    return this.#groups.flatMap(({ members }) => members);
  }

  get #messages(): number {
    return this.#groups.reduce((sum, group) => sum + group.sent, 0);
  }

  #nextServer(server: number): [number, Target] {
    let next = server;
    do next = (next + 1) % this.#targets.length;
    while (this.#dead.has(next));
    return [next, this.#targets[next] as Target];
  }
}

class GroupLoad {
  readonly name: number;
  readonly members: Member[] = [];
  /** How many messages were sent. */
  sent = 0;
  isSending = false;
  #sender: Member | undefined;
  #limit = 0;
  /** How many connected members have not received the last message. */
  #missing = 0;
  #resolve: (() => void) | undefined;
  readonly #bytes: number;

  private constructor(name: number, bytes: number) {
    this.name = name;
    this.#bytes = bytes;
  }

  static async open(name: number, targets: readonly Target[], plan: HistoryPlan): Promise<GroupLoad> {
    const group = new GroupLoad(name, plan.bytes);
    const open = async (role: 'member' | 'sender', step: number): Promise<Member> => {
      const server = (name + step) % targets.length;
      const member = new Member(group, role, server);
      await member.connect(targets[server] as Target);
      return member;
    };
    for (let index = 0; index < plan.members; index++) group.members.push(await open('member', index));
    group.#sender = await open('sender', 0);
    return group;
  }

  /** Resolves at once if the sender has ended. */
  send(count: number): Promise<void> {
    if (this.#sender?.isAway !== false) return Promise.resolve();
    this.#limit = this.sent + count;
    this.isSending = true;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#sendNext();
    });
  }

  halt(): void {
    this.#limit = this.sent;
  }

  expectEnd(server: number): void {
    for (const member of [this.#sender as Member, ...this.members]) member.expectEnd(server);
  }

  received(number: number): void {
    if (number === this.sent - 1 && --this.#missing === 0) this.#sendNext();
  }

  /** Returns the text of a message: it differs from all others, and has characters that JSON need not escape. */
  textOf(number: number): string {
    return `message ${String(number)} to group ${String(this.name)} `.padEnd(
      this.#bytes,
      'abcdefghijklmnopqrstuvwxyz',
    );
  }

  #sendNext(): void {
    if (this.sent >= this.#limit) {
      this.isSending = false;
      this.#resolve?.();
      return;
    }
    const text = this.textOf(this.sent++);
    this.#missing = 1 + this.members.filter(({ isAway }) => !isAway).length;
    this.#sender?.send(text);
  }
}

/**
 * Sends to one more group until each server has delivered a message of another one. Until then a server of Socket.IO can
 * miss messages, because it begins at the end of the stream.
 */
async function untilReady(targets: readonly Target[], group: number): Promise<void> {
  const waiting = new Set(targets.keys());
  const clients = await Promise.all(
    targets.map((target, server) =>
      Client.open(inRole(target, 'sender', group), (text) => {
        const from = /hello from (\d+)/.exec(text)?.[1];
        if (from !== undefined && from !== String(server)) waiting.delete(server);
      }),
    ),
  );
  const start = performance.now();
  while (waiting.size > 0) {
    if (performance.now() - start > STALL)
      throw new Error(`servers without messages of the others: ${String(waiting.size)}`);
    for (const [server, client] of clients.entries()) client.send(`hello from ${String(server)}`);
    await pause(50);
  }
  for (const client of clients) client.destroy();
}

/** Rejects when no message has arrived for a while, and says what is missing. */
function within<T>(promise: Promise<T>, describe: () => string): Promise<T> {
  return new Promise((resolve, reject) => {
    let before = arrivals;
    const timer = setInterval(() => {
      if (arrivals === before)
        reject(new Error(`nothing more arrived in ${String(STALL / 1000)} s; ${describe()}`));
      before = arrivals;
    }, STALL);
    void promise.then(resolve, reject).finally(() => {
      clearInterval(timer);
    });
  });
}

/** One member over several connections. */
class Member {
  server: number;
  isAway = false;
  readonly #group: GroupLoad;
  readonly #role: 'member' | 'sender';
  #client: Client | undefined;
  /** The number of the next message, and the id of the last one. */
  #next = 0;
  #id: string | undefined;
  /** Called with whether the server has resumed the member, when that is known and everything has arrived. */
  #onReturn: ((isResumed: boolean) => void) | undefined;

  constructor(group: GroupLoad, role: 'member' | 'sender', server: number) {
    this.#group = group;
    this.#role = role;
    this.server = server;
  }

  async connect(target: Target): Promise<void> {
    const { dialect } = target;
    const inGroup = inRole(target, this.#role, this.#group.name);
    if (dialect === 'plain') {
      const since = this.#id === undefined ? '' : `&since=${this.#id}`;
      this.#client = await Client.open({ ...inGroup, path: inGroup.path + since }, (text) =>
        this.#onJson(text),
      );
      return;
    }
    const pid = this.#client?.pid;
    const recovery = pid === undefined || this.#id === undefined ? undefined : { pid, offset: this.#id };
    this.#client = await Client.open(inGroup, (text, offset) => this.#onMessage(text, offset), recovery);
    if (recovery !== undefined) this.#greeted(this.#client.pid === pid);
  }

  /** Resolves with whether the server has resumed the member, when everything has arrived. */
  async comeBack([server, target]: [number, Target]): Promise<boolean> {
    this.server = server;
    const returned = new Promise<boolean>((resolve) => (this.#onReturn = resolve));
    await this.connect(target);
    const isResumed = await returned;
    this.#onReturn = undefined;
    this.isAway = false;
    return isResumed;
  }

  send(text: string): void {
    this.#client?.send(text);
  }

  leave(): void {
    this.isAway = true;
    this.#client?.destroy();
  }

  expectEnd(server: number): void {
    if (server !== this.server) return;
    this.isAway = true;
    this.#client?.expectEnd();
  }

  /** Our server sends where the member begins, and then messages. */
  #onJson(json: string): void {
    const { text, id, complete } = JSON.parse(json) as { text?: string; id?: string; complete?: boolean };
    if (text !== undefined) this.#onMessage(text, id);
    else if (this.#onReturn !== undefined) this.#greeted(complete === true);
  }

  #greeted(isResumed: boolean): void {
    // What a server cannot resume must not be missing afterwards.
    if (!isResumed) this.#next = this.#group.sent;
    if (!isResumed || this.#next === this.#group.sent) this.#onReturn?.(isResumed);
  }

  #onMessage(text: string, id: string | undefined): void {
    const expected = this.#group.textOf(this.#next);
    if (text !== expected) throw new Error(`received "${text}" instead of "${expected}"`);
    if (id === undefined) throw new Error(`received a message without an id: "${text}"`);
    arrivals++;
    this.#id = id;
    const number = this.#next++;
    if (!this.isAway) this.#group.received(number);
    else if (this.#next === this.#group.sent) this.#onReturn?.(true);
  }
}
