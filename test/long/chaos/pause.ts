/** Lets time pass: for how long something is disturbed is what a chaos run plays. Nothing is awaited in this way. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
