import { debug } from '../shared/notices.js';
import { clearTimeout, now, setTimeout } from '../shared/real-timers.js';

/** What the heartbeat knows of a connection. */
export interface Patient {
  /** Whether we have stopped reading: then no pong can be seen, and none is demanded. */
  readonly isPaused: boolean;
  ping(): void;
  terminate(): void;
}

/** Where its bytes come from. */
export interface Pulse {
  readonly bytesRead?: number;
}

/** The silence is measured in quarters of the interval, so a ping is at most a quarter late. */
const QUARTERS = 4;

/** One connection under watch; `quiet` counts the quarters in which nothing was heard. */
export class Beat {
  readonly step: number;
  readonly patient: Patient;
  readonly pulse: Pulse;
  due = 0;
  quiet = 0;
  bytes: number | undefined;

  constructor(interval: number, patient: Patient, pulse: Pulse) {
    this.step = Math.max(1, interval / QUARTERS);
    this.patient = patient;
    this.pulse = pulse;
  }

  /** A pong has come. */
  heard(): void {
    this.quiet = 0;
  }
}

// One set for each interval, in the order in which its members are due: checking one moves it to the end.
const beatsByStep = new Map<number, Set<Beat>>();
// One timer for all. Unref'd: a heartbeat never keeps a process alive.
let timer: NodeJS.Timeout | undefined;
let timerDue = Infinity;

export function startBeat(beat: Beat): void {
  beat.bytes = beat.pulse.bytesRead;
  let beats = beatsByStep.get(beat.step);
  if (beats === undefined) beatsByStep.set(beat.step, (beats = new Set()));
  schedule(beats, beat);
  if (beat.due < timerDue) arm(beat.due);
}

export function stopBeat(beat: Beat): void {
  const beats = beatsByStep.get(beat.step);
  if (beats === undefined || !beats.delete(beat)) return;
  if (beats.size > 0) return;
  beatsByStep.delete(beat.step);
  if (beatsByStep.size > 0) return;
  clearTimeout(timer);
  timerDue = Infinity;
}

function schedule(beats: Set<Beat>, beat: Beat): void {
  // From now on, not from when it was due: after the event loop was blocked, time that could not be heard in is not
  // held against the peer.
  beat.due = Math.ceil(now() + beat.step);
  beats.delete(beat);
  beats.add(beat);
}

function arm(due: number): void {
  clearTimeout(timer);
  timerDue = due;
  timer = setTimeout(checkAll, Math.max(1, due - now())).unref();
}

function checkAll(): void {
  const time = now();
  let next = Infinity;
  for (const beats of beatsByStep.values()) {
    for (const beat of beats) {
      if (beat.due > time) {
        next = Math.min(next, beat.due);
        break;
      }
      schedule(beats, beat);
      check(beat);
    }
  }
  timerDue = Infinity;
  if (next !== Infinity) arm(next);
}

function check(beat: Beat): void {
  const { patient, pulse } = beat;
  beat.quiet = pulse.bytesRead === beat.bytes ? beat.quiet + 1 : 0;
  beat.bytes = pulse.bytesRead;
  if (beat.quiet === 0 || beat.quiet % QUARTERS !== 0) return;
  if (patient.isPaused) beat.quiet = QUARTERS;
  if (beat.quiet <= 2 * QUARTERS) {
    patient.ping();
    return;
  }
  debug('two pings were not answered: the connection is cut');
  patient.terminate();
}
