/** What an agent has reported, in the same form for each agent. */

/** One measured piece of work. Agents call it a span or a transaction. */
export interface Span {
  readonly id: string;
  readonly parent: string | undefined;
  readonly trace: string;
  readonly name: string;
  /** The path of the request, with the query if the agent reports it; for a span that serves one. */
  readonly url: string | undefined;
  /** In milliseconds. */
  readonly duration: number;
  /** The status of the response, or what the agent reports instead. */
  readonly status: string | undefined;
  readonly user: string | undefined;
  /** Whether the agent counts the span as failed. */
  readonly failed: boolean;
}

export interface ReportedError {
  readonly message: string;
  readonly trace: string | undefined;
  readonly user: string | undefined;
}

export interface Report {
  readonly spans: readonly Span[];
  readonly errors: readonly ReportedError[];
}
