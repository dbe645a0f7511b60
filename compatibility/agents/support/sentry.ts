import type { Sent } from './collector.js';
import type { Report, ReportedError, Span } from './report.js';

interface SentrySpan {
  name: string;
  span_id: string;
  trace_id: string;
  parent_span_id?: string;
  start_timestamp: number;
  end_timestamp: number;
  status: string;
  attributes: Record<string, { value: unknown }>;
}

interface SentryEvent {
  exception: { values: { value: string }[] };
  contexts?: { trace?: { trace_id: string } };
  user?: { id?: string };
}

interface Item {
  readonly type: string;
  readonly content: unknown;
}

/** Reads the envelopes of Sentry: lines of JSON, with a head for the envelope and one for each item. */
export function readSentry(sent: readonly Sent[]): Report {
  const items = sent.filter(({ url }) => url.includes('/envelope/')).flatMap(({ body }) => itemsOf(body));
  const of = (type: string) => items.filter((item) => item.type === type).map(({ content }) => content);
  return {
    spans: (of('span') as { items: SentrySpan[] }[]).flatMap((span) => span.items).map(toSpan),
    errors: (of('event') as SentryEvent[]).map(toError),
  };
}

function itemsOf(body: Buffer): Item[] {
  const [, ...lines] = body
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as object);
  return lines.flatMap((head, index) =>
    index % 2 === 0 ? { type: (head as { type: string }).type, content: lines[index + 1] } : [],
  );
}

function toSpan({ attributes, ...span }: SentrySpan): Span {
  const of = (name: string) => attributes[name]?.value?.toString();
  return {
    id: span.span_id,
    parent: span.parent_span_id,
    trace: span.trace_id,
    name: `${of('sentry.op') ?? ''} ${span.name}`,
    url: of('sentry.op') === 'http.server' ? of('url.path') : undefined,
    duration: (span.end_timestamp - span.start_timestamp) * 1_000,
    status: of('http.response.status_code'),
    user: of('user.id'),
    failed: span.status === 'error',
  };
}

function toError({ exception, contexts, user }: SentryEvent): ReportedError {
  return {
    message: exception.values.map(({ value }) => value).join(),
    trace: contexts?.trace?.trace_id,
    user: user?.id,
  };
}
