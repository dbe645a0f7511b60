const { register } = require('node:module');
const { pathToFileURL } = require('node:url');
const { trace } = require('@opentelemetry/api');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { ExpressInstrumentation } = require('@opentelemetry/instrumentation-express');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { WSInstrumentation } = require('opentelemetry-instrumentation-ws');

// Without it, OpenTelemetry does not see an Express that an ES module imports.
register('@opentelemetry/instrumentation/hook.mjs', pathToFileURL(__filename));

const exclude = { ignoreIncomingRequestHook: (req) => req.headers.upgrade !== undefined };

const sdk = new NodeSDK({
  traceExporter: new OTLPTraceExporter(),
  instrumentations: [
    new HttpInstrumentation(process.env.EXCLUDE === 'yes' ? exclude : {}),
    new ExpressInstrumentation(),
    ...(process.env.INSTRUMENT_WS === 'yes' ? [new WSInstrumentation({ sendSpans: true })] : []),
  ],
});
sdk.start();

globalThis.agent = {
  trace: () => trace.getActiveSpan()?.spanContext().traceId,
  // OpenTelemetry has no user of a request.
  setUser: () => undefined,
  flush: () => sdk.shutdown(),
};
