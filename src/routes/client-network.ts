import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';

/**
 * Returns the network that stands for the client of a request: its IPv4 address, or the first 64 bits of its IPv6 address.
 * Returns `undefined` if the address is unknown, as on a Unix socket.
 *
 * Behind a proxy, Express knows the address of the client if the setting `trust proxy` names the proxy.
 */
export function clientNetworkOf(req: IncomingMessage): string | undefined {
  const { ip = req.socket.remoteAddress } = req as { ip?: string };
  return ip === undefined ? undefined : networkOf(ip);
}

/** Returns whether the address of a request is that of its connection, and does not come from a header. */
export function hasDirectAddress(req: IncomingMessage): boolean {
  const { remoteAddress } = req.socket;
  return ((req as { ip?: string }).ip ?? remoteAddress) === remoteAddress;
}

/** Some proxies add the port of the client: `192.0.2.1:4711` and `[2001:db8::1]:4711`. */
const HOST_AND_PORT = /^(?:\[(.+)\]|([^:]+))(?::\d+)?$/;

/**
 * Returns an IPv4 address as it is, and the first 64 bits of an IPv6 address. Such a network usually has a single customer,
 * whose devices choose and change the other bits (RFC 8981). A port is left out, because each connection has another one.
 */
export function networkOf(text: string): string {
  const [, bracketed, plain] = HOST_AND_PORT.exec(text) ?? [];
  const address = bracketed ?? plain ?? text;
  if (!isIPv6(address)) return address;
  const groups = expand(address);
  if (isIPv4InIPv6(groups))
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 0xff])
      .join('.');
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  return `${network.join(':')}::/64`;
}

/** The first six groups of addresses whose last two are an IPv4 address. */
const IPV4_PREFIXES = [
  // As a server for both versions shows it (RFC 4291, 2.5.5.2).
  [0, 0, 0, 0, 0, 0xffff],
  // Behind a translator from IPv4 to IPv6 (RFC 6052, 2.1, and RFC 7915, 2).
  [0x64, 0xff9b, 0, 0, 0, 0],
  [0, 0, 0, 0, 0xffff, 0],
];

function isIPv4InIPv6(groups: readonly number[]): boolean {
  return IPV4_PREFIXES.some((prefix) => prefix.every((group, index) => group === groups[index]));
}

/** Returns the eight groups of a valid IPv6 address (RFC 4291, 2.2). */
function expand(address: string): number[] {
  // The zone follows %.
  const [start = [], end = []] = address.replace(/%.*/, '').split('::').map(readGroups);
  const zeros = new Array<number>(8 - start.length - end.length).fill(0);
  return [...start, ...zeros, ...end];
}

function readGroups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
