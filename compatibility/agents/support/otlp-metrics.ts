import { attributesOf, type Attribute } from './otlp.js';
import type { Sent } from './collector.js';

/** The last value of a metric for one set of attributes. */
export interface Point {
  readonly name: string;
  readonly unit: string;
  /** The attributes as text, by their names. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The sum of a counter or a histogram. */
  readonly sum: number;
  /** How many values a histogram has. */
  readonly count: number | undefined;
}

interface DataPoint {
  attributes: Attribute[];
  asInt?: number | string;
  asDouble?: number;
  count?: number | string;
  sum?: number;
}

interface Data {
  dataPoints: DataPoint[];
}

interface Export {
  resourceMetrics: {
    scopeMetrics: { metrics: { name: string; unit: string; sum?: Data; histogram?: Data }[] }[];
  }[];
}

/** Reads the metrics that OpenTelemetry exports with OTLP as JSON. Its values add up from the start, so the last ones count. */
export function readMetrics(sent: readonly Sent[]): Point[] {
  const last = new Map<string, Point>();
  const all = sent
    .filter(({ url }) => url.startsWith('/v1/metrics'))
    .flatMap(({ body }) => (JSON.parse(body.toString()) as Export).resourceMetrics)
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
  for (const { name, unit, sum, histogram } of all) {
    for (const point of (sum ?? histogram)?.dataPoints ?? []) {
      const attributes = attributesOf(point.attributes);
      last.set(`${name} ${JSON.stringify(attributes)}`, {
        name,
        unit,
        attributes,
        sum: Number(point.asInt ?? point.asDouble ?? point.sum),
        count: point.count === undefined ? undefined : Number(point.count),
      });
    }
  }
  return [...last.values()];
}
