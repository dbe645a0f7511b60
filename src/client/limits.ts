/** A connection that was open for this many milliseconds shows that the server works, so pauses start anew. */
export const STABLE = 10_000;

/** A close frame holds at most so many bytes of a reason (RFC 6455, 5.5). */
export const MAX_REASON_BYTES = 123;

/** The close code for what a server closes with 1003 or 1007, which browsers do not let a page send. */
export const INVALID = 4007;

/** As many characters fit into a close frame, whatever they are. */
export const MAX_REASON = 41;

/** How often to look whether the connection has sent what is buffered, in milliseconds. Browsers have no event for it. */
export const DRAIN_INTERVAL = 50;

/** With more buffered bytes, `send` waits. */
export const HIGH_WATER_MARK = 65_536;

/** The memory of a message in addition to its bytes. So the limit also works for small messages. */
export const OVERHEAD = 100;

/** How often to look at the clock, in milliseconds. Browsers run the timers of a hidden page once a minute. */
export const TICK = 30_000;

/** A longer time between two looks means that the computer has slept. */
export const SLEEP = 120_000;

/** The longest pause is this many times as long as the shortest, so that the clients of a restarted server spread. */
export const SPREAD = 5;

/** The largest delay of a timer. */
export const MAX_DELAY = 2_147_483_647;
