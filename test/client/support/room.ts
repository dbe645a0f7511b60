/** The settings of the room whose servers are killed. All processes have the same. */
export const HISTORY = {
  backplane: { maxLength: 100_000 },
  groups: { messages: 'json', history: { length: 100_000, age: 3_600_000, stamp: 'id' } },
} as const;
