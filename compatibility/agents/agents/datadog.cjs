const tracer = require('dd-trace').init();

// dd-trace counts a request as failed by its status. A failed handler of a websocket has left its error on the response.
tracer.use('express', {
  hooks: {
    request: (span, _req, res) => {
      if (res.err !== undefined) span.setTag('error', res.err);
    },
  },
});

if (process.env.EXCLUDE === 'yes') {
  tracer.use('http', { server: { blocklist: [/^\/chat/] } });
  tracer.use('ws', false);
}

globalThis.agent = {
  trace: () => tracer.scope().active()?.context().toTraceId(),
  setUser: (id) => tracer.setUser({ id: String(id) }),
  // It sends what is left when the process is about to exit.
  flush: () => undefined,
};
