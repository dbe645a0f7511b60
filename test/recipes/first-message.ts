import type { Websocket } from 'dwebsocket';

/** Resolves with the user whose token is the first message. Without a valid token in time, closes and gives `undefined`. */
export async function authenticate(
  websocket: Websocket,
  findUser: (token: string) => string | undefined,
): Promise<string | undefined> {
  const token = await websocket.wait(5_000);
  const user = typeof token === 'string' ? findUser(token) : undefined;
  if (user === undefined) void websocket.close(4401, 'send your token first');
  return user;
}
