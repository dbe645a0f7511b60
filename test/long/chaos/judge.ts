import type { Gap, Kind, Report, SentMessage, SideReport } from './protocol.js';

/** Milliseconds that timers may be late on a busy machine. */
const SLACK = 2_000;
/**
 * Milliseconds until a loss is told. Who finds that Redis was set back leaves a note for the others, and it may take that
 * process some time to be back.
 */
const PATIENCE = 15_000;

/** By the number of the process. There is none of a process that was killed. */
export type Reports = readonly (Report | undefined)[];

/** A time in which Redis may have lost what it had confirmed. */
export interface SetBack {
  readonly from: number;
  readonly to: number;
}

/**
 * Every message that was sent must have come, or somebody must have been told; over streams only a Redis that was set back
 * may lose any. Returns what was otherwise.
 */
export function judge(reports: Reports, timeout: number, setBacks: readonly SetBack[]): string[] {
  const faults: string[] = [];
  for (const [receiver, report] of reports.entries()) {
    for (const [kind, side] of Object.entries(report ?? {}) as [Kind, SideReport][]) {
      for (const [room, { gaps, joined, missed }] of side.rooms.entries()) {
        for (const gap of gaps) {
          const sent = reports[gap.sender]?.[kind]?.rooms[room]?.sent ?? [];
          const lost: SentMessage[] = [];
          for (let number = gap.from; number <= gap.to; number++) {
            const message = sent[number];
            if (message === undefined || message.fate === 'false' || message.time <= (gap.joined ?? joined))
              continue;
            if (!isExcused(reports, kind, receiver, room, gap, message, timeout, setBacks))
              lost.push(message);
          }
          if (lost.length === 0) continue;
          const first = lost[0]!;
          faults.push(
            `${kind}, room ${room}: of ${gap.from} to ${gap.to} of process ${gap.sender} ${lost.length} did not come to ` +
              `process ${receiver}; send said ${first.fate} at ${new Date(first.time).toISOString()}, ` +
              `the next came at ${new Date(gap.seen).toISOString()}, missed was told at ` +
              missed.map((time) => new Date(time).toISOString()).join(', '),
          );
        }
      }
    }
  }
  return faults;
}

function isExcused(
  reports: Reports,
  kind: Kind,
  receiver: number,
  room: number,
  gap: Gap,
  message: SentMessage,
  timeout: number,
  setBacks: readonly SetBack[],
): boolean {
  const { missed } = reports[receiver]![kind]!.rooms[room]!;
  const isTold = missed.some((time) => time >= message.time && time <= gap.seen + PATIENCE);
  if (kind === 'streams') {
    const wasSetBack = setBacks.some(
      ({ from, to }) => message.time >= from - SLACK && message.time <= to + SLACK,
    );
    // A message that was kept may have been dropped, and its sender told.
    const wasDropped = message.fate === 'later' && reports[gap.sender]!.streams!.rooms[room]!.dropped > 0;
    return (isTold && wasSetBack) || wasDropped;
  }
  if (isTold) return true;
  // Who is cut off is told within twice the timeout; so is a sender whose master has become a replica.
  return [receiver, gap.sender].some((process) =>
    reports[process]![kind]!.outages.some(
      ({ from, to }) => message.time >= from - 2 * timeout - SLACK && message.time <= to + SLACK,
    ),
  );
}
