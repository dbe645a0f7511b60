/** A process that sends to a group until its backplane refuses, and then reports the memory that it takes. */
import { createGroups, redisBackplane, redisStreamBackplane } from 'dwebsocket/groups';
import { clientKinds } from './clients.js';

export interface FillerOptions {
  readonly client: string;
  readonly url: string;
  readonly isStream: boolean;
  /** Bytes of each message. */
  readonly size: number;
  readonly maxBuffered: number;
}

/** All in bytes. The resident set is the process's; the others are the growth. */
export interface Filled {
  readonly count: number;
  readonly live: number;
  readonly rss: number;
}

const { client: name, url, isStream, size, maxBuffered } = JSON.parse(process.argv[2]!) as FillerOptions;
const { client } = await clientKinds.find((kind) => kind.name === name)!.connect(url);
const options = { maxBuffered, timeout: 60_000 };
const backplane = isStream
  ? redisStreamBackplane(client, { ...options, maxLength: 10 })
  : redisBackplane(client, options);
const groups = createGroups({ backplane });
const group = groups.group('a');
groups.on('cutOff', () => {});
await group.send('once');

async function measure(): Promise<{ live: number; rss: number }> {
  // Node releases the memory of collected Buffers some turns later.
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  // `external` includes the bytes of array buffers.
  return { live: heapUsed + external, rss };
}

async function fillUp(): Promise<void> {
  const before = await measure();
  let count = 0;
  const full = new AbortController();
  const fill = (): void => {
    for (let round = 0; round < 1_000 && !full.signal.aborted; round++) {
      const message = Buffer.alloc(size, 'x').toString();
      void group.send(message).then(({ backplane: taken }) => {
        if (taken === false) full.abort();
      });
      count++;
    }
  };
  while (!full.signal.aborted) {
    fill();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const after = await measure();
  const filled: Filled = { count, live: after.live - before.live, rss: after.rss - before.rss };
  process.send!(filled, () => process.exit(0));
}

process.once('message', () => void fillUp());
process.send!('ready');
