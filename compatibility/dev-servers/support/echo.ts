import { expect } from 'vitest';
import { connect } from '../../../test/support/client.js';
import type { Program } from '../../support/program.js';
import { fetchText } from './hot-reload.js';

/** Visits a further route of a program, over HTTP and as a websocket. */
export async function visitEcho(program: Program, path: string): Promise<void> {
  expect(await fetchText(program, `${path}?message=hello`)).toBe('hello');
  const client = await connect(program, path);
  client.send('first', Buffer.from([0, 255]));
  expect(await client.take(2)).toEqual(['first', Buffer.from([0, 255])]);
  expect((await client.close(1000)).code).toBe(1000);
}
