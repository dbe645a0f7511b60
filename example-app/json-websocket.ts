import { withDefaults } from 'dwebsocket';

/** For routes whose messages are JSON values. */
export const { acceptWebsocket, requireWebsocket } = withDefaults({ messages: 'json' });
