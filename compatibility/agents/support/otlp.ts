import type { Sent } from './collector.js';
import type { Report, ReportedError, Span } from './report.js';

export interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: number | string; boolValue?: boolean; doubleValue?: number };
}

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Attribute[];
  events?: { name: string; attributes: Attribute[] }[];
  status?: { code?: number };
}

interface Export {
  resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[];
}

const SERVER = 2;
const FAILED = 2;

/** Reads the spans that OpenTelemetry exports with OTLP as JSON. */
export function readOtlp(sent: readonly Sent[]): Report {
  const all = sent
    .filter(({ url }) => url.startsWith('/v1/traces'))
    .flatMap(({ body }) => (JSON.parse(body.toString()) as Export).resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
  return { spans: all.map(toSpan), errors: all.flatMap(errorsOf) };
}

function toSpan(span: OtlpSpan): Span {
  const of = attributesOf(span.attributes);
  const path = of['url.path'] ?? of['http.target'];
  return {
    id: span.spanId,
    parent: span.parentSpanId,
    trace: span.traceId,
    name: span.name,
    url: span.kind === SERVER ? path : undefined,
    duration: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
    status: of['http.response.status_code'] ?? of['http.status_code'],
    user: of['user.id'],
    failed: span.status?.code === FAILED,
  };
}

function errorsOf(span: OtlpSpan): ReportedError[] {
  return (span.events ?? [])
    .filter(({ name }) => name === 'exception')
    .map(({ attributes }) => ({
      message: attributesOf(attributes)['exception.message'] ?? '',
      trace: span.traceId,
      user: undefined,
    }));
}

/** Attributes as text, by their names. */
export function attributesOf(attributes: readonly Attribute[]): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]));
}
