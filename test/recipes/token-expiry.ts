import type { Message, Websocket } from 'dwebsocket';

/** What a valid token says: its user, and when it expires, in seconds since 1970. */
export interface Claims {
  sub: string;
  exp: number;
}

/**
 * Yields the messages of a websocket until its token expires. Before that, the client may send a new one of the same user as
 * `token TOKEN`. `claims` are those of the handshake. `verify` checks a token, and returns its claims.
 */
export async function* readUntilExpiry(
  websocket: Websocket,
  claims: Claims,
  verify: (token: string) => Claims | undefined,
): AsyncGenerator<Message> {
  const keepUntil = ({ exp }: Claims) => websocket.closeAt(exp * 1_000, 3000, 'the token has expired');
  keepUntil(claims);
  for await (const message of websocket) {
    if (typeof message !== 'string' || !message.startsWith('token ')) {
      yield message;
      continue;
    }
    const renewed = verify(message.slice('token '.length));
    // The handler still acts for the user of the handshake.
    if (renewed === undefined || renewed.sub !== claims.sub) {
      void websocket.close(4401, 'the token is not valid');
      return;
    }
    keepUntil(renewed);
  }
}
