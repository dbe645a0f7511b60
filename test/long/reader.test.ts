import { expect, test } from 'vitest';
import { Random } from '../hostile/fuzz/random.js';
import { randomChunks, randomStream } from '../support/frame-streams.js';
import { receiveAhead, receiveAlone } from '../support/receivers.js';

const OPTIONS = [{}, { deflate: true }, { maxPayload: 700 }, { deflate: true, maxPayload: 700 }];

test('100,000 random streams in random chunks give what ws alone gives, also when the target pauses', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`reader: seed ${seed}`);
  const random = new Random(seed);
  for (let i = 0; i < 100_000; i++) {
    const options = OPTIONS[i % OPTIONS.length]!;
    const chunks = randomChunks(random, randomStream(random, options.deflate === true));
    const pauses = random.chance(0.5) ? { pauses: new Random(i) } : {};
    const outcome = await receiveAhead(chunks, { ...options, ...pauses });
    expect(outcome, `stream ${i} of seed ${seed}`).toEqual(await receiveAlone(chunks, options));
  }
});
