const apm = require('elastic-apm-node').start({
  ...(process.env.EXCLUDE === 'yes' ? { ignoreUrls: [/^\/chat/] } : {}),
});

globalThis.agent = {
  trace: () => apm.currentTraceIds['trace.id'],
  setUser: (id) => apm.setUserContext({ id: String(id) }),
  flush: () => apm.flush(),
};
