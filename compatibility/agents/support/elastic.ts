import type { Sent } from './collector.js';
import type { Report, ReportedError, Span } from './report.js';

interface Event {
  id: string;
  trace_id?: string;
  parent_id?: string;
  name?: string;
  duration?: number;
  outcome?: string;
  context?: {
    request?: { url?: { pathname?: string; search?: string } };
    response?: { status_code?: number };
    user?: { id?: string };
  };
  exception?: { message: string };
}

type Line = Partial<Record<'transaction' | 'span' | 'error' | 'metadata' | 'metricset', Event>>;

/** Reads the lines that the agent of Elastic sends to its server. */
export function readElastic(sent: readonly Sent[]): Report {
  const lines = sent
    .filter(({ url }) => url.startsWith('/intake/v2/events'))
    .flatMap(({ body }) => body.toString().split('\n').filter(Boolean))
    .map((line) => JSON.parse(line) as Line);
  const spans = lines.flatMap(({ transaction, span }) => transaction ?? span ?? []);
  return { spans: spans.map(toSpan), errors: lines.flatMap(({ error }) => error ?? []).map(toError) };
}

function toSpan({ context, ...event }: Event): Span {
  const { pathname = '', search = '' } = context?.request?.url ?? {};
  return {
    id: event.id,
    parent: event.parent_id,
    trace: event.trace_id ?? '',
    name: event.name ?? '',
    url: pathname === '' ? undefined : pathname + search,
    duration: event.duration ?? NaN,
    status: context?.response?.status_code?.toString(),
    user: context?.user?.id,
    failed: event.outcome === 'failure',
  };
}

function toError({ exception, trace_id: trace, context }: Event): ReportedError {
  return { message: exception?.message ?? '', trace, user: context?.user?.id };
}
