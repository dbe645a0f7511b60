import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localBackplane } from 'dwebsocket/groups/local';
import { backplaneContract } from 'dwebsocket/testing';
import { afterAll, describe, test } from 'vitest';

const MAX_BUFFERED = 2 ** 23;

describe('the contract', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-local-'));
  const path = join(folder, 'groups');

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  backplaneContract('localBackplane', {
    test: (name, run) => test(name, { timeout: 90_000 }, run),
    create: () => localBackplane({ path, timeout: 3_000, maxBuffered: MAX_BUFFERED }),
    patience: 15_000,
    maxBuffered: MAX_BUFFERED,
    // A file in place of the socket: the hub leaves it, and nobody may replace it.
    outage: {
      begin: () => {
        rmSync(path, { force: true });
        writeFileSync(path, '');
      },
      end: () => rmSync(path),
    },
  });
});
