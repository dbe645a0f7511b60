import { describe, expect, onTestFinished, test } from 'vitest';
import { join, newestKinds, streams } from './support/joining.js';
import { Proxy } from './support/proxy.js';
import { hasRedis, RedisServer } from './support/redis-server.js';

// An operator or a managed Redis makes another node the master, and closes no connection. Processes connect to a host
// name, which now points to the new master. On the old master PUBLISH still succeeds, but reaches no other process.

const TIMEOUT = 1_500;

async function startPair() {
  const quick = ['--repl-diskless-sync-delay', '0'];
  const [old, next] = [await RedisServer.start(quick), await RedisServer.start(quick)];
  onTestFinished(() => old.stop());
  onTestFinished(() => next.stop());
  next.cli('REPLICAOF', '127.0.0.1', String(old.port));
  await expect.poll(() => next.cli('INFO', 'replication')).toContain('master_link_status:up');
  const name = await Proxy.start(old.port);
  onTestFinished(() => name.stop());
  const handOver = () => {
    next.cli('REPLICAOF', 'NO', 'ONE');
    old.cli('REPLICAOF', '127.0.0.1', String(next.port));
    name.target = next.port;
  };
  return { old, next, name, handOver };
}

describe.runIf(hasRedis).each(newestKinds)('$backplane over $name', { timeout: 60_000 }, (kind) => {
  test("a master that has become a replica emits 'cutOff', and is replaced by the new master", async () => {
    const { name, handOver } = await startPair();
    const here = await join(kind, name.url, { timeout: TIMEOUT });
    handOver();
    const there = await join(kind, name.url, { timeout: TIMEOUT });
    const error = await here.events.cutOff(2 * TIMEOUT);
    expect(error.code).toBe('ERR_WEBSOCKET_BACKPLANE_CUT_OFF');
    expect(error.message).toMatch(/READONLY.*connect it to the master/);
    await here.events.back();
    expect(await here.groups.group('a').send('from here')).toMatchObject({ backplane: true });
    while ((await there.member.inbox.next()) !== 'from here');
    expect(await there.groups.group('a').send('from there')).toMatchObject({ backplane: true });
    while ((await here.member.inbox.next()) !== 'from there');
  });

  test('while the name points to the replica, send does not report success', async () => {
    const { name, handOver, old } = await startPair();
    const here = await join(kind, name.url, { timeout: TIMEOUT });
    handOver();
    name.target = old.port;
    await here.events.cutOff(2 * TIMEOUT);
    const kept = kind.backplane === streams.backplane;
    expect(await here.groups.group('a').send('kept or not')).toMatchObject({
      backplane: kept ? 'later' : false,
    });
    expect(here.groups.isCutOff()).toBe(true);
    old.cli('REPLICAOF', 'NO', 'ONE');
    await here.events.back();
    expect(await here.groups.group('a').send('after')).toMatchObject({ backplane: true });
  });
});

describe.runIf(hasRedis).each(newestKinds)('$backplane over $name', { timeout: 60_000 }, (kind) => {
  test('with a Redis user without write permission, the role is found with ROLE', async () => {
    const { old, name } = await startPair();
    const rules = kind.backplane === streams.backplane ? ['+@all', '-del'] : ['+@all', '-@write'];
    old.cli(
      'ACL',
      'SETUSER',
      'limited',
      'resetchannels',
      'on',
      '>pw',
      '&dwebsocket:*',
      '~dwebsocket:*',
      ...rules,
    );
    const here = await join(kind, name.url.replace('//', '//limited:pw@'), { timeout: TIMEOUT });
    old.cli('REPLICAOF', '127.0.0.1', '1');
    expect((await here.events.cutOff(2 * TIMEOUT)).message).toMatch(/READONLY/);
  });
});
