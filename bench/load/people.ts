import { setTimeout as pause } from 'node:timers/promises';
import { Client } from './client.js';
import { inRole, openMany, type Target } from './connection.js';

export interface PeoplePlan {
  groups: number;
  /** Members of each group. Each has a different name, and the next one is connected to the next server. */
  members: number;
}

/** The reply to the question who is in a group. */
export interface Answer {
  /** Milliseconds until the reply. */
  time: number;
  /** How many were listed of those whose server runs, and of those whose server has ended. */
  there: number;
  gone: number;
  /** What the server reported instead of a list. */
  error: string | undefined;
}

/** What a server says about the people of another one that was killed. */
export interface Aftermath {
  first: Answer;
  /** Milliseconds until it listed exactly those that are still there. */
  rightAfter: number;
}

/** Joins and leaves at the same time. */
const AT_ONCE = 50;
/** Milliseconds until a list must be right. */
const DEADLINE = 20_000;

/** People who join and leave groups, and ask who is there. Every reply is compared with what it must be. */
export class PeopleLoad {
  readonly #groups: PersonLoad[][];
  readonly #dead = new Set<number>();

  private constructor(groups: PersonLoad[][]) {
    this.#groups = groups;
  }

  /** Lets everybody join, and waits until each server lists them. */
  static async start(targets: readonly Target[], { groups, members }: PeoplePlan): Promise<PeopleLoad> {
    const people = await openMany(groups * members, (index) => {
      const group = index % groups;
      const server = (group + Math.floor(index / groups)) % targets.length;
      return PersonLoad.open(targets[server] as Target, server, group, String(index));
    });
    const load = new PeopleLoad(
      Array.from({ length: groups }, (_, group) => people.filter((person) => person.group === group)),
    );
    await load.#each(people, (person) => person.ask('join'));
    await load.settle();
    return load;
  }

  /** Waits until every member gets the right list of its group. */
  async settle(): Promise<void> {
    await this.#each(this.#living, (person) => this.#untilRight(person));
  }

  /** Lets everybody leave and join again. Returns how many joins and leaves these were. */
  async comeAndGo(): Promise<number> {
    await this.#each(this.#living, async (person) => {
      await person.ask('leave');
      await person.ask('join');
    });
    return this.#living.length * 2;
  }

  /** Returns the milliseconds from a join to the moment when another server knows it, for so many joins. */
  async see(count: number): Promise<number[]> {
    const times: number[] = [];
    for (let index = 0; index < count; index++) {
      const group = this.#groups[index % this.#groups.length] as PersonLoad[];
      const [watcher, person] = group as [PersonLoad, PersonLoad];
      await person.ask('leave');
      await this.#untilRight(watcher, person);
      await watcher.ask(`see ${person.name}`);
      const seen = watcher.next();
      const start = performance.now();
      const joined = person.ask('join');
      await seen;
      times.push(performance.now() - start);
      await joined;
    }
    return times;
  }

  /** Asks so many times who is in a group, one after the other, and returns the milliseconds of each. */
  async read(count: number): Promise<number[]> {
    const times: number[] = [];
    for (let index = 0; index < count; index++) {
      const group = this.#groups[index % this.#groups.length] as PersonLoad[];
      const answer = await this.#ask(
        group[Math.floor(index / this.#groups.length) % group.length] as PersonLoad,
      );
      if (!this.#isRight(answer, group))
        throw new Error(`a list of people is wrong: ${JSON.stringify(answer)}`);
      times.push(answer.time);
    }
    return times;
  }

  /** Asks a server once who is in a group. */
  readAt(server: number): Promise<Answer> {
    return this.#ask(this.#personAt(server));
  }

  /** From now on, this server may end. Its people count as gone. */
  expectEnd(server: number): void {
    this.#dead.add(server);
    for (const person of this.#groups.flat()) if (person.server === server) person.expectEnd();
  }

  /** Asks a server who is in a group, until it lists only the people whose servers run. */
  async afterEnd(server: number): Promise<Aftermath> {
    const start = performance.now();
    const person = this.#personAt(server);
    const first = await this.#ask(person);
    await this.#untilRight(person);
    return { first, rightAfter: performance.now() - start };
  }

  /** Somebody whose group has people on all servers. */
  #personAt(server: number): PersonLoad {
    return this.#groups[0]?.find((person) => person.server === server) as PersonLoad;
  }

  get #living(): PersonLoad[] {
    return this.#groups.flat().filter(({ server }) => !this.#dead.has(server));
  }

  async #untilRight(person: PersonLoad, absent?: PersonLoad): Promise<void> {
    const group = (this.#groups[person.group] as PersonLoad[]).filter((one) => one !== absent);
    const start = performance.now();
    for (;;) {
      const answer = await this.#ask(person);
      if (this.#isRight(answer, group)) return;
      if (performance.now() - start > DEADLINE)
        throw new Error(`a list of people is still wrong: ${JSON.stringify(answer)}`);
      await pause(answer.gone > 0 ? 20 : 5);
    }
  }

  #isRight({ there, gone, error }: Answer, group: readonly PersonLoad[]): boolean {
    const expected = group.filter(({ server }) => !this.#dead.has(server)).length;
    return error === undefined && there === expected && gone === 0;
  }

  async #ask(person: PersonLoad): Promise<Answer> {
    const start = performance.now();
    const reply = await person.ask('read');
    const time = performance.now() - start;
    const [kind, ...names] = reply.split(' ');
    if (kind !== 'people') return { time, there: 0, gone: 0, error: reply };
    const group = this.#groups[person.group] as PersonLoad[];
    const listed = names.map((name) => group.find((one) => one.name === name));
    if (listed.includes(undefined) || new Set(listed).size < listed.length)
      return { time, there: 0, gone: 0, error: `listed a stranger, or somebody twice: ${reply}` };
    const gone = listed.filter((one) => this.#dead.has(one?.server as number)).length;
    return { time, there: listed.length - gone, gone, error: undefined };
  }

  async #each(people: readonly PersonLoad[], act: (person: PersonLoad) => Promise<unknown>): Promise<void> {
    const rest = people.values();
    const work = async (): Promise<void> => {
      for (const person of rest) await act(person);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }
}

/** A websocket that gives one order at a time. */
class PersonLoad {
  readonly server: number;
  readonly group: number;
  readonly name: string;
  #client: Client | undefined;
  #resolve: ((reply: string) => void) | undefined;

  private constructor(server: number, group: number, name: string) {
    this.server = server;
    this.group = group;
    this.name = name;
  }

  static async open(target: Target, server: number, group: number, name: string): Promise<PersonLoad> {
    const person = new PersonLoad(server, group, name);
    const { path, ...rest } = inRole(target, 'member', group);
    person.#client = await Client.open({ ...rest, path: `${path}&as=${name}` }, (reply) =>
      person.#onReply(reply),
    );
    return person;
  }

  ask(order: string): Promise<string> {
    const reply = this.next();
    this.#client?.send(order);
    return reply;
  }

  /** Resolves with the next reply. */
  next(): Promise<string> {
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  expectEnd(): void {
    this.#client?.expectEnd();
  }

  #onReply(reply: string): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    if (resolve === undefined) throw new Error(`received a reply without an order: ${reply}`);
    resolve(reply);
  }
}
