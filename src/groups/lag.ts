import { onGroupReceive } from '../websocket/diagnostics.js';
import type { Envelope } from './envelope.js';

/**
 * Returns the time to write into a message that is sent now, or `undefined` if this process does not measure the lag. Usually all
 * processes run the same app, so they all write the time, or none does.
 */
export function sendTime(): number | undefined {
  return onGroupReceive.hasSubscribers ? Date.now() : undefined;
}

/** Publishes that a message has arrived from the backplane, and how long it took. */
export function publishArrival(group: string, envelope: Envelope): void {
  if (!onGroupReceive.hasSubscribers || envelope.kind !== 'message') return;
  const { bytes, time } = envelope;
  // The clocks of two machines differ a little, so a fast message can seem to arrive before it was sent.
  const lag = time === undefined ? undefined : Math.max(0, Date.now() - time);
  onGroupReceive.publish({ group, bytes: bytes.length, lag });
}
