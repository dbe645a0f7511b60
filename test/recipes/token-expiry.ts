import type { Message, Websocket } from 'dwebsocket';

/**
 * Yields the messages of a websocket until its token expires. Before that, the client may send a new one as
 * `token TOKEN`. `readExpiry` checks a token, and returns its `exp`: seconds since 1970.
 */
export async function* readUntilExpiry(
  websocket: Websocket,
  token: string,
  readExpiry: (token: string) => number | undefined,
): AsyncGenerator<Message> {
  const renew = (token: string) => {
    const expiry = readExpiry(token);
    if (expiry === undefined) void websocket.close(4401, 'the token is not valid');
    else websocket.closeAt(expiry * 1_000, 3000, 'the token has expired');
  };
  renew(token);
  for await (const message of websocket) {
    if (typeof message === 'string' && message.startsWith('token ')) renew(message.slice('token '.length));
    else yield message;
  }
}
