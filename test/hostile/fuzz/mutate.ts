import { deflateRawSync } from 'node:zlib';
import { handshakeRequest } from '../../support/raw-client.js';
import { closePayload, encodeFrame, Opcode } from '../../support/raw-frames.js';
import type { Random } from './random.js';

/** The routes of server.ts, and two that it does not have. */
export const PATHS = [
  ...[
    '/echo',
    '/text',
    '/json',
    '/values',
    '/deflate',
    '/small',
    '/slow',
    '/late',
    '/once',
    '/push',
    '/flood',
    '/close',
    '/throws',
  ],
  ...[
    '/rejects-later',
    '/refused',
    '/redirect',
    '/signal',
    '/ping',
    '/ignore',
    '/sleep',
    '/all/echo',
    '/all/plain',
    '/events',
    '/download',
  ],
  ...['/param/a%20b/echo', '/nowhere', '/%'],
] as const;

const ODD_VALUES = [
  '',
  ' ',
  ',',
  ';',
  '"',
  'x'.repeat(9_000),
  '\u0000',
  'é',
  '0',
  '-1',
  '1e9',
  '%',
  ', ,',
  'a=b;c="d',
];

/** A handshake with something wrong, or something odd that is right. */
export function mutatedHandshake(random: Random): Buffer {
  const headers: Record<string, string | undefined> = {};
  const names = ['Host', 'Upgrade', 'Connection', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version', 'Origin'];
  const more = ['Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions', 'Content-Length', 'Cookie', 'Expect'];
  switch (random.between(0, 9)) {
    case 0:
      headers[random.pick(names)] = undefined;
      break;
    case 1:
      headers[random.pick([...names, ...more])] = random.pick(ODD_VALUES);
      break;
    case 2:
      headers['Sec-WebSocket-Version'] = String(random.between(0, 20));
      break;
    case 3:
      headers['Sec-WebSocket-Key'] = random.bytes(random.between(0, 40)).toString('base64');
      break;
    case 4:
      headers['Sec-WebSocket-Extensions'] = oddExtensions(random);
      break;
    case 5:
      headers['Sec-WebSocket-Protocol'] = random.pick(['chat', 'chat, foo', 'a, a', 'ch@t', 'foo']);
      break;
    case 6:
      headers['Upgrade'] = random.pick(['h2c', 'websocket, h2c', 'WebSocket', 'TLS/1.0', 'websocket/13']);
      break;
    case 7:
      headers['Origin'] = random.pick([
        'http://localhost',
        'http://evil.test',
        'null',
        '//',
        'http://[',
        'a://b:c',
      ]);
      break;
    case 8:
      headers['Transfer-Encoding'] = random.pick(['chunked', 'gzip', 'chunked, chunked']);
      break;
  }
  const request = handshakeRequest({
    path: random.pick(PATHS),
    method: random.chance(0.9) ? 'GET' : random.pick(['POST', 'HEAD', 'OPTIONS', 'PUT', 'CONNECT', 'FOO']),
    httpVersion: random.chance(0.95) ? '1.1' : random.pick(['1.0', '2.0', '0.9']),
    headers,
  });
  const bytes = Buffer.from(request, 'latin1');
  return random.chance(0.4) ? mutateBytes(random, bytes) : bytes;
}

function oddExtensions(random: Random): string {
  const parameter = random.pick([
    'server_max_window_bits',
    'client_max_window_bits',
    'server_no_context_takeover',
    'x',
  ]);
  const value = random.pick(['', '=8', '=9', '=15', '=16', '=a', '="10"', '=']);
  return `${random.pick(['permessage-deflate', 'x-foo'])}; ${parameter}${value}${random.pick(['', ', permessage-deflate'])}`;
}

/** A handshake that will be accepted where its route accepts any. */
export function goodHandshake(random: Random, path: string = random.pick(PATHS)): Buffer {
  const headers = random.chance(0.3) ? { 'Sec-WebSocket-Extensions': 'permessage-deflate' } : {};
  return Buffer.from(handshakeRequest({ path, headers }));
}

const FLOODED = [
  '/echo',
  '/late',
  '/deflate',
  '/small',
  '/ignore',
  '/text',
  '/json',
  '/values',
  '/sleep',
] as const;

/** A handshake, and many tiny frames: messages, fragments or pings, each in a chunk that pongs may fill up. */
export function tinyFlood(random: Random): Buffer[] {
  const opcode = random.pick([Opcode.text, Opcode.binary, Opcode.ping]);
  const tiny = (fin: boolean, first: boolean) =>
    encodeFrame({
      opcode: first || opcode === Opcode.ping ? opcode : Opcode.continuation,
      payload: random.pick(['', 'x']),
      fin: fin || opcode === Opcode.ping,
    });
  const isFragmented = random.chance(0.3);
  const padding = random.chance(0.5) ? Buffer.alloc(0) : padWithPongs(random.between(1, 400));
  const count = padding.length > 0 ? random.between(1, 20) : random.between(1, 5_000);
  const frames = Array.from({ length: count }, (_, i) => [
    tiny(!isFragmented, !isFragmented || i === 0),
    padding,
  ]);
  return [goodHandshake(random, random.pick(FLOODED)), Buffer.concat(frames.flat())];
}

function padWithPongs(count: number): Buffer {
  const pong = encodeFrame({ opcode: Opcode.pong, payload: Buffer.alloc(125) });
  return Buffer.concat(Array.from({ length: count }, () => pong));
}

/** More than /hoard reads, as messages that tell whether they are whole; the last one is cut. */
export function hoardable(random: Random): Buffer[] {
  const frames = Array.from({ length: random.between(1, 200) }, (_, i) =>
    encodeFrame({
      opcode: Opcode.binary,
      payload: Buffer.alloc(random.between(1, 1_024), i & 0xff),
      mask: random.bytes(4),
    }),
  );
  const stream = Buffer.concat(frames);
  const cut = random.between(0, stream.length);
  return [
    goodHandshake(random, '/hoard'),
    stream.subarray(0, cut),
    stream.subarray(cut, random.between(cut, stream.length)),
  ];
}

const OPCODES = [
  Opcode.text,
  Opcode.text,
  Opcode.binary,
  Opcode.ping,
  Opcode.pong,
  Opcode.continuation,
  Opcode.close,
];

/** A frame; about half of them break the protocol, the others are its seldom used corners. */
export function mutatedFrame(random: Random): Buffer {
  const opcode = random.chance(0.95) ? random.pick(OPCODES.slice(0, -1)) : random.between(0, 15);
  const isControl = opcode > 7;
  const frame = encodeFrame({
    opcode: random.chance(0.97) ? opcode : Opcode.close,
    payload: payloadOf(random, isControl),
    fin: isControl || random.chance(0.8),
    rsv: random.chance(0.9) ? 0 : random.pick([4, 4, 2, 1, 7]),
    mask: random.chance(0.98) ? random.bytes(4) : false,
  });
  return random.chance(0.25) ? mutateBytes(random, frame) : frame;
}

function payloadOf(random: Random, isControl: boolean): Buffer {
  if (isControl) {
    return random.chance(0.5)
      ? random.bytes(random.between(0, 126))
      : closePayload(random.between(0, 5_000), random.bytes(random.between(0, 20)));
  }
  switch (random.between(0, 9)) {
    case 0:
      return Buffer.alloc(0);
    case 1:
      return random.bytes(random.between(120, 130));
    case 2:
      return Buffer.alloc(random.pick([65_535, 65_536, 70_000, 300_000]), random.between(0, 255));
    case 3:
      return deflateRawSync(random.bytes(random.between(0, 200)));
    case 4:
      return random.bytes(random.between(0, 300)); // seldom UTF-8
    default:
      return Buffer.from('é😀 text '.repeat(random.between(1, 20)));
  }
}

/** Flips, drops, doubles and inserts bytes, mostly near the front, where the meaning is. */
export function mutateBytes(random: Random, bytes: Buffer): Buffer {
  let mutated = Buffer.from(bytes);
  for (let i = random.between(1, 3); i > 0 && mutated.length > 0; i--) {
    const at = random.between(0, random.chance(0.6) ? Math.min(mutated.length, 14) - 1 : mutated.length - 1);
    switch (random.between(0, 4)) {
      case 0:
        mutated[at] = mutated[at]! ^ (1 << random.between(0, 7));
        break;
      case 1:
        mutated[at] = random.between(0, 255);
        break;
      case 2:
        mutated = mutated.subarray(0, at);
        break;
      case 3:
        mutated = Buffer.concat([
          mutated.subarray(0, at),
          random.bytes(random.between(1, 8)),
          mutated.subarray(at),
        ]);
        break;
      case 4:
        mutated = Buffer.concat([mutated, mutated.subarray(at)]);
        break;
    }
  }
  return mutated;
}
