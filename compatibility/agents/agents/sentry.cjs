const Sentry = require('@sentry/node');

const exclude = { ignoreIncomingRequests: (_url, req) => req.headers.upgrade !== undefined };

Sentry.init({
  dsn: process.env.SENTRY_DSN,
  tracesSampleRate: 1,
  integrations: process.env.EXCLUDE === 'yes' ? [Sentry.httpIntegration(exclude)] : [],
});

globalThis.agent = {
  trace: () => Sentry.getActiveSpan()?.spanContext().traceId,
  setUser: (id) => Sentry.setUser({ id: String(id) }),
  handleErrors: (app) => Sentry.setupExpressErrorHandler(app),
  flush: () => Sentry.close(),
};
