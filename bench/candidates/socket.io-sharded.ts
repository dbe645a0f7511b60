import type { Server } from 'node:http';
import { createShardedAdapter } from '@socket.io/redis-adapter';
import type { GroupsArgument } from '../candidates.js';
import { connect, serveRooms } from './socket.io.js';

export async function groups({ burst, redis }: Required<GroupsArgument>): Promise<Server> {
  return serveRooms(burst, createShardedAdapter(...(await connect(redis))));
}
