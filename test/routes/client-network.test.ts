import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { clientNetworkOf, hasDirectAddress, networkOf } from '../../src/routes/client-network.js';

test.for([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:0201', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
  ['fe80::1:2:3:4%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '192.0.2.1'],
  ['64:ff9b:0:0:0:1:c000:201', '64:ff9b:0:0::/64'],
  ['64:ff9b:1::192.0.2.1', '64:ff9b:1:0::/64'],
  ['::ffff:0:192.0.2.1', '192.0.2.1'],
  ['192.0.2.1:4711', '192.0.2.1'],
  ['[2001:db8::6]:4711', '2001:db8:0:0::/64'],
  ['[::ffff:192.0.2.1]', '192.0.2.1'],
  ['not an address', 'not an address'],
] as const)('the network of %s is %s', ([address, network]) => {
  expect(networkOf(address)).toBe(network);
});

const requestFrom = (remoteAddress: string | undefined, ip?: string) =>
  ({ socket: { remoteAddress }, ip }) as unknown as IncomingMessage;

test('the address of Express counts more than that of the connection', () => {
  expect(clientNetworkOf(requestFrom('127.0.0.1', '192.0.2.1'))).toBe('192.0.2.1');
  expect(clientNetworkOf(requestFrom('127.0.0.1'))).toBe('127.0.0.1');
  expect(clientNetworkOf(requestFrom(undefined))).toBeUndefined();
  expect(hasDirectAddress(requestFrom('127.0.0.1', '127.0.0.1'))).toBe(true);
  expect(hasDirectAddress(requestFrom('127.0.0.1'))).toBe(true);
  expect(hasDirectAddress(requestFrom('127.0.0.1', '192.0.2.1'))).toBe(false);
});
