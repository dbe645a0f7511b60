import { createGroups, redisStreamBackplane, type Backplane } from 'dwebsocket/groups';

const day = 24 * 60 * 60 * 1000;
// Anybody can open a room. So one limit in bytes holds for all rooms; beyond it, they lose their oldest messages.
const history = { length: 100, age: day, maxBytes: 2 ** 24, stamp: 'id' };
// Redis itself limits the bytes of all rooms, with `maxmemory` and `maxmemory-policy volatile-ttl`.
const inRedis = { prefix: 'dwebsocket-tour', maxLength: history.length, maxBytes: 2 ** 18, maxAge: day };

export type Rooms = ReturnType<typeof createRooms>;

/** Creates the rooms of the chat: each is a group. A backplane shares them with other instances of the app. */
export function createRooms(backplane?: Backplane) {
  return createGroups({ backplane, history, messages: 'json' });
}

/**
 * Opens the rooms. With the URL of a Redis, all instances of the app share them. Redis may start later; the console says when
 * it is away. Rejects if the URL is not one of Redis.
 */
export async function openRooms(url: string) {
  const client = url === '' ? undefined : (await import('redis')).createClient({ url });
  const rooms = createRooms(client && redisStreamBackplane(client, inRedis));
  rooms.on('cutOff', ({ message }) => console.error(`Chat: ${message}. Messages wait until Redis is back.`));
  rooms.on('back', () => console.log('Chat: Redis is back'));
  rooms.on('refused', ({ message }) => console.error(`Chat: ${message}`));
  rooms.on('missed', ({ group }) => console.error(`Chat: messages to ${group} are lost`));
  rooms.on('dropped', ({ group }) => console.error(`Chat: messages to ${group} could not be sent`));
  client?.on('error', () => {}); // the groups report errors
  client?.connect().catch(() => {});
  return { rooms, close: () => rooms.close().then(() => client?.destroy()) };
}
