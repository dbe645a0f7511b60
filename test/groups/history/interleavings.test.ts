import { createGroups, type KeptMessage } from 'dwebsocket/groups';
import { expect, onTestFinished, test } from 'vitest';
import { Random } from '../../long/chaos/random.js';
import { FakeMember } from '../support/members.js';
import { ResumingClient } from './support/resuming-client.js';

/** Members that join, leave, read slowly and send, in a random order that a seed decides. */
async function play(seed: number): Promise<string[]> {
  const random = new Random(seed);
  const length = random.pick([1, 3, 10, 50]);
  const groups = createGroups({ history: { length, age: 3_600_000 } });
  onTestFinished(() => groups.close());
  const room = groups.group('a');
  const truth: Pick<KeptMessage, 'id'>[] = [];
  const witness = new FakeMember();
  witness.send = (_message: string | Buffer, options?: { id?: string }) =>
    void truth.push({ id: options!.id! });
  await room.add(witness);

  const gates = new Set<() => void>();
  const open = (): void => {
    for (const gate of gates) gate();
    gates.clear();
  };
  const wait = (): unknown => {
    if (random.next() < 0.6) return undefined;
    return new Promise<void>((resolve) => gates.add(resolve));
  };
  const clients = Array.from({ length: 5 }, (_, index) => new ResumingClient(`client ${index}`, wait));
  const joining: PromiseLike<boolean>[] = [];
  const join = (client: ResumingClient): void => {
    const joined = client.join(room, random.pick([0, 2, 100]));
    if (joined !== undefined) joining.push(joined);
  };
  const send = (): void => {
    const excluded = random.next() < 0.2 ? random.pick(clients) : undefined;
    void room.send('x', excluded?.member === undefined ? {} : { except: excluded.member });
    if (excluded?.member !== undefined) excluded.excluded.add(truth.at(-1)!.id);
  };
  for (let step = 0; step < 300; step++) {
    const act = random.pick([
      send,
      send,
      send,
      () => join(random.pick(clients)),
      () => join(random.pick(clients)),
      () => random.pick(clients).leave(),
      open,
    ]);
    act();
    if (random.next() < 0.3) await Promise.resolve();
    if (random.next() < 0.1) await new Promise(setImmediate);
  }
  for (const client of clients) join(client);
  const end = { isReached: false };
  void Promise.all(joining).then(() => (end.isReached = true));
  while (!end.isReached) {
    open();
    await new Promise(setImmediate);
  }
  void room.send('last');
  return clients.flatMap((client) => client.judge(truth));
}

test('whatever members do, each gets every message once and in order, or is told that some are missing', async () => {
  for (let seed = 1; seed <= 300; seed++) expect(await play(seed), `seed ${seed}`).toEqual([]);
});
