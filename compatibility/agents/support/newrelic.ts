import type { Sent } from './collector.js';
import type { Report, ReportedError, Span } from './report.js';

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** The attributes that the agent sets itself, those of the app, and those of the request. */
type Event = readonly [own: Attributes, app: Attributes, request: Attributes];

/** Answers the agent as New Relic does. */
export function answerNewRelic({ url }: Sent, port: number): object {
  switch (methodOf(url)) {
    case 'preconnect':
      return { return_value: { redirect_host: `127.0.0.1:${port}` } };
    case 'connect':
      return { return_value: { agent_run_id: 'run' } };
    default:
      return { return_value: null };
  }
}

/** Reads the events that New Relic's agent sends when it is shut down. */
export function readNewRelic(sent: readonly Sent[]): Report {
  const eventsOf = (method: string) =>
    sent
      .filter(({ url }) => methodOf(url) === method)
      .flatMap(({ body }) => (JSON.parse(body.toString()) as [string, object, Event[]])[2]);
  return {
    // Transactions are complete; spans are sampled.
    spans: [...eventsOf('analytic_event_data'), ...eventsOf('span_event_data')].map(toSpan),
    errors: eventsOf('error_event_data').map(toError),
  };
}

function toSpan([own, , request]: Event): Span {
  return {
    id: String(own.guid),
    parent: own.parentId?.toString(),
    trace: String(own.traceId),
    name: String(own.name),
    url: own.type === 'Transaction' ? request['request.uri']?.toString() : undefined,
    duration: Number(own.duration) * 1_000,
    status: request['http.statusCode']?.toString(),
    user: request['enduser.id']?.toString(),
    failed: own.error?.toString() === 'true',
  };
}

function toError([own, , request]: Event): ReportedError {
  return {
    message: String(own['error.message']),
    trace: own.traceId?.toString(),
    user: request['enduser.id']?.toString(),
  };
}

function methodOf(url: string): string | null {
  return new URL(url, 'https://localhost').searchParams.get('method');
}
