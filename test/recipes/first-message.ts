import type { Websocket } from 'dwebsocket';

/** The user whose token is the first message; without one in time the websocket closes, and it is `undefined`. */
export async function authenticate(
  websocket: Websocket,
  findUser: (token: string) => string | undefined,
): Promise<string | undefined> {
  const token = await websocket.wait(5_000);
  const user = typeof token === 'string' ? findUser(token) : undefined;
  if (user === undefined) void websocket.close(4401, 'send your token first');
  return user;
}
