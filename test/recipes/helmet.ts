import helmet from 'helmet';

export const helmetWithoutTls = helmet({
  contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
});
