import type { Server } from 'node:http';
import { createShardedAdapter } from '@socket.io/redis-adapter';
import type { GroupsArgument, PeopleArgument } from '../candidates.js';
import { connect, servePeople, serveRooms } from './socket.io.js';

export async function groups({ burst, redis }: Required<GroupsArgument>): Promise<Server> {
  return serveRooms(burst, createShardedAdapter(...(await connect(redis))));
}

export async function people({ redis }: PeopleArgument): Promise<Server> {
  return servePeople(createShardedAdapter(...(await connect(redis))));
}
