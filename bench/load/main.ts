/** The child process that generates the load. The runner calls its functions. */
import { answer } from '../ipc.js';
import type { Target } from './connection.js';
import { Crowd } from './crowd.js';
import { EchoLoad, type EchoPlan } from './echo.js';
import { FanOutLoad, type FanOutPlan } from './fan-out.js';
import { flood, type FloodPlan } from './flood.js';
import { HistoryLoad, type HistoryPlan } from './history.js';
import { measureLatency, type LatencyPlan } from './latency.js';
import { PeopleLoad, type PeoplePlan } from './people.js';
import { VisitsLoad, type VisitsPlan } from './visits.js';

/** A load that runs until it is stopped, and is measured meanwhile. */
let running: EchoLoad | FanOutLoad | VisitsLoad | undefined;
const crowd = new Crowd();
let history: HistoryLoad | undefined;
let people: PeopleLoad | undefined;

const answers = {
  async startEcho({ target, plan }: { target: Target; plan: EchoPlan }): Promise<void> {
    running = await EchoLoad.start(target, plan);
  },
  async startFanOut({ targets, plan }: { targets: Target[]; plan: FanOutPlan }): Promise<void> {
    running = await FanOutLoad.start(targets, plan);
  },
  startVisits({ target, plan }: { target: Target; plan: VisitsPlan }): void {
    running = new VisitsLoad(target, plan);
  },
  /** Counts echoes, deliveries or visits for so many seconds. */
  async measure(seconds: number): Promise<{ count: number; seconds: number; cpu: number }> {
    const load = started(running);
    const cpuBefore = process.cpuUsage();
    const start = performance.now();
    const before = load.count;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const count = load.count - before;
    const passed = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    return { count, seconds: passed, cpu: (user + system) / 1e6 / passed };
  },
  stop(): void {
    running?.stop();
    running = undefined;
  },

  latency: ({ target, plan }: { target: Target; plan: LatencyPlan }) => measureLatency(target, plan),
  flood: ({ target, plan }: { target: Target; plan: FloodPlan }) => flood(target, plan),

  growCrowd: ({ target, count }: { target: Target; count: number }) => crowd.grow(target, count),
  echoOnce: () => crowd.echoOnce(),
  closeCrowd: () => crowd.close(),
  leave: () => {
    crowd.leave();
  },

  async startHistory({ targets, plan }: { targets: Target[]; plan: HistoryPlan }): Promise<void> {
    history = await HistoryLoad.start(targets, plan);
  },
  sendKept: (count: number) => started(history).send(count),
  runHistory: (seconds: number) => started(history).run(seconds),
  lose: () => {
    started(history).lose();
  },
  comeBack: () => started(history).comeBack(),

  async startPeople({ targets, plan }: { targets: Target[]; plan: PeoplePlan }): Promise<void> {
    people = await PeopleLoad.start(targets, plan);
  },
  comeAndGo: () => started(people).comeAndGo(),
  settlePeople: () => started(people).settle(),
  seePeople: (count: number) => started(people).see(count),
  readPeople: (count: number) => started(people).read(count),
  readPeopleAt: (server: number) => started(people).readAt(server),
  peopleAfterEnd: (server: number) => started(people).afterEnd(server),

  /** From now on, this server may end. */
  expectEnd(server: number): void {
    history?.expectEnd(server);
    people?.expectEnd(server);
  },
};

function started<L>(load: L | undefined): L {
  if (load === undefined) throw new Error('no load is running; start one first');
  return load;
}

export type LoadAnswers = typeof answers;

answer(answers);
