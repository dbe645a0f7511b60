import timers from 'node:timers';

/**
 * Keeps the timers that Node had when this module was loaded.
 *
 * The package's own timeouts use them. So a closing handshake times out even with a test's fake clock, and a live peer
 * does not look dead. The times that a handler sets (`wait`, `sleep`, `closeAt`) follow the global timers.
 */
export const { setTimeout, clearTimeout, setImmediate } = timers;

// Jest's fake clock also stops `nextTick`. A socket that is corked until the next tick would never write.
export const nextTick: typeof process.nextTick = process.nextTick.bind(process);

/** The longest delay of a timer in milliseconds. With a longer one, Node calls back at once. */
export const MAX_DELAY = 2 ** 31 - 1;

/** Returns the milliseconds of a clock that never goes back. */
export const now: () => number = performance.now.bind(performance);
