import { fileURLToPath } from 'node:url';
import type { Collector, Sent } from './collector.js';
import { readDatadog } from './datadog.js';
import { readElastic } from './elastic.js';
import { answerNewRelic, readNewRelic } from './newrelic.js';
import { readOtlp } from './otlp.js';
import type { Report } from './report.js';
import { readSentry } from './sentry.js';

/** How an agent is started against a collector on this machine, and how to read what it sends. */
export interface Agent {
  /** The file in `agents` that starts it. */
  readonly file: string;
  readonly tls?: boolean;
  /** The environment that makes it send to a collector. */
  env(collector: Collector): Record<string, string>;
  answer?(sent: Sent, port: number): object;
  /** Added to the environment when websockets are to be excluded. */
  readonly exclude?: Record<string, string>;
  read(sent: readonly Sent[]): Report;
}

const CERTIFICATE = fileURLToPath(new URL('../../../test/support/tls/certificate.pem', import.meta.url));

const opentelemetry: Agent = {
  file: 'opentelemetry.cjs',
  env: ({ port }) => ({
    OTEL_SERVICE_NAME: 'app',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
    OTEL_NODE_RESOURCE_DETECTORS: 'env',
  }),
  read: readOtlp,
};

const sentry: Agent = {
  file: 'sentry.cjs',
  env: ({ port }) => ({ SENTRY_DSN: `http://key@127.0.0.1:${port}/1` }),
  read: readSentry,
};

const datadog: Agent = {
  file: 'datadog.cjs',
  env: ({ port }) => ({
    DD_SERVICE: 'app',
    DD_TRACE_AGENT_URL: `http://127.0.0.1:${port}`,
    DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false',
    DD_REMOTE_CONFIGURATION_ENABLED: 'false',
    DD_TRACE_STARTUP_LOGS: 'false',
  }),
  answer: ({ url }) => (url.startsWith('/info') ? { endpoints: ['/v0.4/traces'] } : { rate_by_service: {} }),
  read: readDatadog,
};

const newrelic: Agent = {
  file: 'newrelic.cjs',
  tls: true,
  env: ({ port }) => ({
    NEW_RELIC_APP_NAME: 'app',
    NEW_RELIC_LICENSE_KEY: '0'.repeat(40),
    NEW_RELIC_HOST: '127.0.0.1',
    NEW_RELIC_PORT: String(port),
    NEW_RELIC_NO_CONFIG_FILE: 'true',
    NEW_RELIC_LOG: 'stdout',
    NEW_RELIC_LOG_LEVEL: 'error',
    NEW_RELIC_UTILIZATION_DETECT_AWS: 'false',
    NEW_RELIC_UTILIZATION_DETECT_AZURE: 'false',
    NEW_RELIC_UTILIZATION_DETECT_GCP: 'false',
    NEW_RELIC_UTILIZATION_DETECT_PCF: 'false',
    NEW_RELIC_UTILIZATION_DETECT_DOCKER: 'false',
    NEW_RELIC_UTILIZATION_DETECT_KUBERNETES: 'false',
    NODE_EXTRA_CA_CERTS: CERTIFICATE,
  }),
  answer: answerNewRelic,
  exclude: { NEW_RELIC_IGNORING_RULES: '^/chat/' },
  read: readNewRelic,
};

const elastic: Agent = {
  file: 'elastic.cjs',
  env: ({ port }) => ({
    ELASTIC_APM_SERVICE_NAME: 'app',
    ELASTIC_APM_SERVER_URL: `http://127.0.0.1:${port}`,
    ELASTIC_APM_CENTRAL_CONFIG: 'false',
    ELASTIC_APM_CLOUD_PROVIDER: 'none',
    ELASTIC_APM_METRICS_INTERVAL: '0',
    ELASTIC_APM_LOG_LEVEL: 'error',
    // By default, short spans of requests to other servers are left out.
    ELASTIC_APM_EXIT_SPAN_MIN_DURATION: '0ms',
  }),
  answer: ({ url }) => (url === '/' ? { version: '8.11.0' } : {}),
  read: readElastic,
};

export const AGENTS = { opentelemetry, sentry, datadog, newrelic, elastic };
