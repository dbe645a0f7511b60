import {
  type Backplane,
  createGroups,
  type Groups,
  redisBackplane,
  type RedisBackplaneOptions,
  type RedisClient,
  redisStreamBackplane,
  type RedisStreamBackplaneOptions,
} from 'dwebsocket/groups';
import { expect, onTestFinished } from 'vitest';
import { clientKinds, type ClientKind } from './clients.js';
import { FakeMember } from './members.js';
import { RecordedEvents } from './recorded-events.js';

export interface BackplaneKind {
  readonly backplane: string;
  create(client: RedisClient, options?: RedisBackplaneOptions): Backplane;
}

export const pubSub: BackplaneKind = { backplane: 'redisBackplane', create: redisBackplane };
export const streams: BackplaneKind = {
  backplane: 'redisStreamBackplane',
  create: (client, options: Partial<RedisStreamBackplaneOptions> = {}) =>
    redisStreamBackplane(client, { maxLength: 10_000, ...options }),
};
export const backplaneKinds = [pubSub, streams] as const;

/** Each backplane over the newest client of each package. */
export const newestKinds = clientKinds
  .filter(({ name }) => name.endsWith(' 6'))
  .flatMap((kind) => backplaneKinds.map((backplane) => ({ ...kind, ...backplane })));

export interface Joined {
  readonly groups: Groups;
  readonly events: RecordedEvents;
  readonly member: FakeMember;
}

/** Opens groups over a Redis, and adds a member to the group "a". They close at the end of the test. */
export async function join(
  kind: Pick<ClientKind, 'connect'> & BackplaneKind,
  url: string,
  options: RedisBackplaneOptions & Partial<RedisStreamBackplaneOptions> = {},
): Promise<Joined> {
  const { client, end } = await kind.connect(url);
  onTestFinished(end);
  const groups = createGroups({ backplane: kind.create(client, options) });
  onTestFinished(() => groups.close());
  const member = new FakeMember();
  const joined = { groups, events: new RecordedEvents(groups), member };
  expect(await groups.group('a').add(member)).toBe(true);
  return joined;
}
