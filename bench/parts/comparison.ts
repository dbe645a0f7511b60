import { ours, type Candidate } from '../candidates.js';
import { figure, ratio, spread, type Rounds } from '../measure.js';

/** Creates a row of a table: a title, and the figure of each candidate. */
export type ComparisonRow<S> = (
  title: string,
  of: (sample: S) => number,
  format: (value: number) => string,
) => string[];

/** Returns a function that creates rows. Each other candidate also has its ratio to ours, with the middle half of the rounds. */
export function compareInRows<S>(
  rounds: Rounds<S>,
  candidates: readonly Candidate[],
  formatRatio = (value: number): string => value.toFixed(2),
): ComparisonRow<S> {
  return (title, of, format) => [
    title,
    ...candidates.map((candidate) => {
      const value = format(figure(rounds, candidate, of));
      if (candidate === ours) return value;
      const [low, high] = spread(rounds, candidate, ours, of).map(formatRatio);
      return `${value} (${formatRatio(ratio(rounds, candidate, ours, of))} ×; ${low} to ${high})`;
    }),
  ];
}
