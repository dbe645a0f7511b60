import { debug } from '../shared/notices.js';
import { clearTimeout, now, setTimeout } from '../shared/real-timers.js';

/** The parts of a connection that the heartbeat uses. */
export interface HeartbeatTarget {
  /** Whether we have paused reading. Then no pong can arrive, so the heartbeat does not require one. */
  readonly isPaused: boolean;
  ping(): void;
  terminate(): void;
}

/** Counts the bytes that arrive on the connection, as a socket does. */
export interface ByteCounter {
  readonly bytesRead?: number;
}

/** The heartbeat checks a connection four times in each interval. So a ping is at most a quarter late. */
const CHECKS_PER_INTERVAL = 4;

/** Watches one connection. `silentQuarters` counts the quarters of the interval without a byte from the peer. */
export class Heartbeat {
  readonly step: number;
  readonly target: HeartbeatTarget;
  readonly counter: ByteCounter;
  due = 0;
  silentQuarters = 0;
  lastBytesRead: number | undefined;

  constructor(interval: number, target: HeartbeatTarget, counter: ByteCounter) {
    this.step = Math.max(1, interval / CHECKS_PER_INTERVAL);
    this.target = target;
    this.counter = counter;
  }

  /** Must be called when a pong has arrived. */
  pongReceived(): void {
    this.silentQuarters = 0;
  }
}

// Holds one set for each interval. Each set is ordered by due time, because a check moves a member to the end.
const heartbeatsByStep = new Map<number, Set<Heartbeat>>();
// One timer serves all connections. It is unref'd, so a heartbeat never keeps the process alive.
let timer: NodeJS.Timeout | undefined;
let timerDue = Infinity;

export function startHeartbeat(heartbeat: Heartbeat): void {
  heartbeat.lastBytesRead = heartbeat.counter.bytesRead;
  let heartbeats = heartbeatsByStep.get(heartbeat.step);
  if (heartbeats === undefined) heartbeatsByStep.set(heartbeat.step, (heartbeats = new Set()));
  schedule(heartbeats, heartbeat);
  if (heartbeat.due < timerDue) arm(heartbeat.due);
}

export function stopHeartbeat(heartbeat: Heartbeat): void {
  const heartbeats = heartbeatsByStep.get(heartbeat.step);
  if (heartbeats === undefined || !heartbeats.delete(heartbeat)) return;
  if (heartbeats.size > 0) return;
  heartbeatsByStep.delete(heartbeat.step);
  if (heartbeatsByStep.size > 0) return;
  clearTimeout(timer);
  timerDue = Infinity;
}

function schedule(heartbeats: Set<Heartbeat>, heartbeat: Heartbeat): void {
  // Counts from now, not from the last due time. While the event loop was blocked, no byte of the peer could be seen.
  heartbeat.due = Math.ceil(now() + heartbeat.step);
  heartbeats.delete(heartbeat);
  heartbeats.add(heartbeat);
}

function arm(due: number): void {
  clearTimeout(timer);
  timerDue = due;
  timer = setTimeout(checkAll, Math.max(1, due - now())).unref();
}

function checkAll(): void {
  const time = now();
  let next = Infinity;
  for (const heartbeats of heartbeatsByStep.values()) {
    for (const heartbeat of heartbeats) {
      if (heartbeat.due > time) {
        next = Math.min(next, heartbeat.due);
        break;
      }
      schedule(heartbeats, heartbeat);
      check(heartbeat);
    }
  }
  timerDue = Infinity;
  if (next !== Infinity) arm(next);
}

function check(heartbeat: Heartbeat): void {
  const { target, counter } = heartbeat;
  heartbeat.silentQuarters = counter.bytesRead === heartbeat.lastBytesRead ? heartbeat.silentQuarters + 1 : 0;
  heartbeat.lastBytesRead = counter.bytesRead;
  if (heartbeat.silentQuarters === 0 || heartbeat.silentQuarters % CHECKS_PER_INTERVAL !== 0) return;
  if (target.isPaused) heartbeat.silentQuarters = CHECKS_PER_INTERVAL;
  if (heartbeat.silentQuarters <= 2 * CHECKS_PER_INTERVAL) {
    target.ping();
    return;
  }
  debug('terminated: the peer did not answer two pings');
  target.terminate();
}
