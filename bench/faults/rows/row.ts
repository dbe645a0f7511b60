import type { RawClient } from '../../../test/support/raw-client.js';
import { messagesOf } from '../../../test/support/raw-client.js';
import { close, closeCodeOf, Opcode } from '../../../test/support/raw-frames.js';
import type { AppName } from '../app.js';
import { DEADLINE, until, type Subject } from '../subject.js';

export type Outcome = 'ok' | 'lost' | 'grows' | 'hangs' | 'dies';

export interface Cell {
  outcome: Outcome | '–';
  /** What was seen. */
  detail: string;
}

export interface Row {
  /** A sentence: what the client or the app does. */
  name: string;
  app: AppName;
  /** What should happen: shown below the table. */
  wanted: string;
  /** Does what the client does, and looks. The caller sees whether the process has died. */
  play: (subject: Subject) => Promise<Cell>;
}

export const cell = (outcome: Outcome, detail: string): Cell => ({ outcome, detail });

/** `ok` with its detail, or the other cell. */
export const when = (good: boolean, detail: string, otherwise: Cell): Cell =>
  good ? cell('ok', detail) : otherwise;

/** Whether the server closes it in time; as an honest client it answers a close frame. */
export async function isClosed(client: RawClient, deadline = DEADLINE): Promise<boolean> {
  if (!(await until(() => closeCode(client) !== undefined, deadline))) return false;
  if (client.framesOf(Opcode.close).length > 0) client.write(close(1000));
  return true;
}

/** As a browser would report it; `undefined` while it is open. */
export function closeCode(client: RawClient): number | undefined {
  const frame = client.framesOf(Opcode.close)[0];
  if (frame?.fin === true) return closeCodeOf(frame);
  return client.socket.readableEnded || client.socket.destroyed ? 1006 : undefined;
}

export function describeClose(client: RawClient): string {
  if (client.frames.some(({ bytes }) => bytes.subarray(0, 4).toString() === 'HTTP'))
    return 'HTTP text in a frame';
  if (client.rest.subarray(0, 4).toString() === 'HTTP') return 'HTTP text in place of a frame';
  const code = closeCode(client);
  if (code === undefined) return messagesOf(client).length > 0 ? 'messages and no close' : 'no close';
  return String(code);
}
