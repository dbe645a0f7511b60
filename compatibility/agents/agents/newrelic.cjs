const newrelic = require('newrelic');

globalThis.agent = {
  trace: () => newrelic.getTraceMetadata().traceId,
  setUser: (id) => newrelic.setUserID(String(id)),
  flush: () => new Promise((resolve) => newrelic.shutdown({ collectPendingData: true }, resolve)),
};
