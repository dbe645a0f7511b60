import { MemoryHub } from 'dwebsocket/groups';
import { test } from 'vitest';
import { backplaneContract } from 'dwebsocket/testing';

const hub = new MemoryHub();

backplaneContract('memory', {
  test,
  create: () => hub.connect(),
  outage: { begin: () => hub.cutOff(), end: () => hub.restore() },
});
