import { decode } from '@msgpack/msgpack';
import type { Sent } from './collector.js';
import type { Report, Span } from './report.js';

interface DatadogSpan {
  trace_id: bigint | number;
  span_id: bigint | number;
  parent_id: bigint | number;
  name: string;
  resource: string;
  start: bigint | number;
  duration: bigint | number;
  error: number;
  type?: string;
  meta: Record<string, string>;
}

/** Reads the traces that dd-trace sends to its agent. */
export function readDatadog(sent: readonly Sent[]): Report {
  const all = sent
    .filter(({ url }) => url.startsWith('/v0.4/traces'))
    .flatMap(({ body }) => decode(body, { useBigInt64: true }) as DatadogSpan[][])
    .flat();
  return {
    spans: all.map(toSpan),
    // The spans around the one that has failed have the same error.
    errors: all
      .filter(({ meta }) => meta['error.message'] !== undefined && meta['span.kind'] === 'server')
      .map(({ meta, trace_id: trace }) => ({
        message: meta['error.message'] ?? '',
        trace: String(trace),
        user: meta['usr.id'],
      })),
  };
}

function toSpan(span: DatadogSpan): Span {
  const url = span.meta['http.url'];
  const isRequest = span.type === 'web' && span.meta['span.kind'] === 'server';
  return {
    id: String(span.span_id),
    parent: Number(span.parent_id) === 0 ? undefined : String(span.parent_id),
    trace: String(span.trace_id),
    name: `${span.name} ${span.resource}`,
    // Those of type `websocket` are not requests, but steps of ws.
    url: isRequest && url !== undefined ? new URL(url).pathname : undefined,
    duration: Number(span.duration) / 1e6,
    status: span.meta['http.status_code'],
    user: span.meta['usr.id'],
    failed: span.error !== 0,
  };
}
