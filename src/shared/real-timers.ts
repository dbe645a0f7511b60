import timers from 'node:timers';

/**
 * The timers of Node as they were when this module was loaded.
 *
 * For what the package does on its own account: with a test's fake clock a closing handshake must still time out,
 * and a live peer must not look dead. The delays that a handler asks for (`wait`, `sleep`) follow the global timers.
 */
export const { setTimeout, clearTimeout, setImmediate } = timers;

// Jest's fake clock stops it, too; what is corked until the next tick would never go out.
export const nextTick: typeof process.nextTick = process.nextTick.bind(process);

/** Milliseconds of a clock that only goes forward. */
export const now: () => number = performance.now.bind(performance);
