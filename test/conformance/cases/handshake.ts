import { handshakeRequest, RFC_ACCEPT, type HandshakeOptions } from '../../support/raw-client.js';
import { repeat, type HandshakeCase, type HandshakeSection } from '../case.js';

const request = (headers: HandshakeOptions['headers'] = {}, options: HandshakeOptions = {}) =>
  handshakeRequest({ path: '/echo', ...options, headers });
const reversed = (text: string) => {
  const [line = '', ...headers] = text.trimEnd().split('\r\n');
  return [line, ...headers.reverse(), '', ''].join('\r\n');
};

const accepted: HandshakeCase[] = [
  { name: "the RFC's own key", request: request(), headers: { 'sec-websocket-accept': RFC_ACCEPT } },
  {
    name: 'a key of zeros',
    request: request({ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' }),
    headers: { 'sec-websocket-accept': 'ICX+Yqv66kxgM0FcWaLWlFLwTAI=' },
  },
  { name: 'a key with + and /', request: request({ 'Sec-WebSocket-Key': '+/+/+/+/+/+/+/+/+/+/+w==' }) },
  { name: 'Upgrade: WebSocket', request: request({ Upgrade: 'WebSocket' }) },
  { name: 'Upgrade: WEBSOCKET', request: request({ Upgrade: 'WEBSOCKET' }) },
  { name: 'Connection: upgrade', request: request({ Connection: 'upgrade' }) },
  {
    name: 'Connection: keep-alive, Upgrade, as Firefox has it',
    request: request({ Connection: 'keep-alive, Upgrade' }),
  },
  { name: 'Connection: Upgrade, keep-alive', request: request({ Connection: 'Upgrade, keep-alive' }) },
  {
    name: 'header names in lower case',
    request: request().replace(/^[\w-]+:/gm, (name) => name.toLowerCase()),
  },
  {
    name: 'header names in upper case',
    request: request().replace(/^[\w-]+:/gm, (name) => name.toUpperCase()),
  },
  { name: 'no space behind the colons', request: request().replaceAll(': ', ':') },
  { name: 'tabs and spaces around the values', request: request().replace(/: (.*)\r\n/g, ':\t  $1  \r\n') },
  { name: 'the headers in reverse order', request: reversed(request()) },
  { name: 'a query', request: request({}, { path: '/echo?a=1&b=%20' }) },
  { name: 'an empty query', request: request({}, { path: '/echo?' }) },
  {
    name: '30 more headers',
    request: request(Object.fromEntries(repeat(30, (i) => [`X-${String(i)}`, 'x'.repeat(100)]))),
  },
  { name: 'the origin of its own host', request: request({ Host: 'a.test', Origin: 'http://a.test' }) },
  { name: 'Content-Length: 0', request: request({ 'Content-Length': '0' }) },
  { name: 'HTTP/1.1 with a host and a port', request: request({ Host: 'localhost:8000' }) },
  {
    name: 'subprotocols where the route has none',
    request: request({ 'Sec-WebSocket-Protocol': 'chat, superchat' }),
    headers: { 'sec-websocket-protocol': null },
  },
  {
    name: 'an extension nobody knows',
    request: request({ 'Sec-WebSocket-Extensions': 'x-foo; a=1; b="2"' }),
  },
  { name: 'two extensions nobody knows', request: request({ 'Sec-WebSocket-Extensions': 'foo, bar; baz' }) },
  {
    name: 'permessage-deflate where it is off',
    request: request({ 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }),
  },
].map((row) => ({ ...row, status: 101, headers: { 'sec-websocket-extensions': null, ...row.headers } }));

const badKeys: [string, string | undefined][] = [
  ['missing', undefined],
  ['empty', ''],
  ['one letter', 'a'],
  ['of 15 bytes', 'AAAAAAAAAAAAAAAAAAAA'],
  ['of 17 bytes', 'AAAAAAAAAAAAAAAAAAAAAAA='],
  ['without its padding', 'dGhlIHNhbXBsZSBub25jZQ'],
  ['with one sign of padding', 'dGhlIHNhbXBsZSBub25jZQ='],
  ['with three signs of padding', 'dGhlIHNhbXBsZSBub25jZQ==='],
  ['with a sign that is not base64', 'dGhlIHNhbXBsZSBub25j*Q=='],
  ['with URL-safe base64', '-_-_-_-_-_-_-_-_-_-_-w=='],
  ['with a space inside', 'dGhlIHNhbXBs ZSBub25jZQ=='],
  ['sent twice', 'dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
];

const badProtocols = [
  ',',
  'chat,',
  ',chat',
  'chat,,superchat',
  'chat, chat',
  'chat superchat',
  'ch@t',
  'chat;',
  '"chat"',
  'chat/1',
  'é',
];
const badExtensions = [
  ',',
  ';',
  'foo,',
  ',foo',
  'foo;',
  'foo; ;bar',
  'foo;a=',
  'foo; a="',
  'foo; a="b',
  'foo; =b',
  'foo bar',
  'foo; a b',
  'f@o',
  'foo;a=@',
];

const malformed: HandshakeCase[] = [
  ...badKeys.map(([name, key]) => ({
    name: `a key ${name}`,
    request: request({ 'Sec-WebSocket-Key': key }),
  })),
  ...badProtocols.map((value) => ({
    name: `Sec-WebSocket-Protocol: ${value}`,
    request: request({ 'Sec-WebSocket-Protocol': value }),
    body: /Sec-WebSocket-Protocol/,
  })),
  ...badExtensions.map((value) => ({
    name: `Sec-WebSocket-Extensions: ${value}`,
    request: request({ 'Sec-WebSocket-Extensions': value }),
    body: /Sec-WebSocket-Extensions/,
  })),
].map((row) => ({
  body: /Sec-WebSocket-Key/,
  ...row,
  status: 400,
  headers: { 'sec-websocket-accept': null },
}));

const versions: HandshakeCase[] = ['0', '7', '8', '12', '14', '013', '13.0', '1e1', '13, 8', 'x', '255'].map(
  (version) => ({
    name: `version ${version}`,
    request: request({ 'Sec-WebSocket-Version': version }),
    status: 426,
    headers: { 'sec-websocket-version': '13', 'sec-websocket-accept': null },
    body: /13/,
  }),
);

const strangers: HandshakeCase[] = [
  ['another host', 'http://b.test'],
  ['a subdomain', 'http://x.a.test'],
  ['another port', 'http://a.test:81'],
  ['null', 'null'],
  ['no origin at all', 'x'],
  ['a name that begins alike', 'http://a.test.evil.test'],
].map(([name, origin]) => ({
  name: `origin: ${name as string}`,
  request: request({ Host: 'a.test', Origin: origin }),
  status: 403,
  headers: { 'sec-websocket-accept': null },
  body: /origins/,
}));

// Both are ordinary requests of HTTP as well, and get the route's ordinary answer.
const plain: HandshakeCase[] = [
  { name: 'no Upgrade', request: request({ Upgrade: undefined }) },
  { name: 'no Connection', request: request({ Connection: undefined }) },
  { name: 'Connection: keep-alive', request: request({ Connection: 'keep-alive' }) },
  { name: 'Upgrade: h2c', request: request({ Upgrade: 'h2c' }) },
  { name: 'Upgrade: websocket2', request: request({ Upgrade: 'websocket2' }) },
  { name: 'POST', request: request({ 'Content-Length': '0' }, { method: 'POST' }) },
  { name: 'PUT', request: request({}, { method: 'PUT' }) },
  { name: 'a body', request: request({ 'Content-Length': '4' }) + 'body' },
  { name: 'a chunked body', request: request({ 'Transfer-Encoding': 'chunked' }) + '4\r\nbody\r\n0\r\n\r\n' },
].map((row) => ({
  ...row,
  status: 200,
  headers: { 'sec-websocket-accept': null, upgrade: null },
  body: /plain HTTP/,
}));

const broken: HandshakeCase[] = [
  { name: 'no Host', request: request({ Host: undefined }) },
  { name: 'a header without a colon', request: request().replace('Upgrade: ', 'Upgrade ') },
  { name: 'a request line of two words', request: request().replace(' HTTP/1.1', '') },
  {
    name: 'bytes of TLS',
    request: '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003\r\n\r\n',
  },
  { name: 'a frame in place of a handshake', request: '\u0081\u0085\u0000\u0000\u0000\u0000Hello\r\n\r\n' },
  { name: 'two lengths', request: request({ 'Content-Length': '4\r\nContent-Length: 5' }) + 'body' },
].map((row) => ({ ...row, status: 400, headers: { 'sec-websocket-accept': null } }));

export const handshake: HandshakeSection = {
  name: 'handshake',
  cases: [
    ...accepted,
    ...malformed,
    ...versions,
    ...strangers,
    ...plain,
    ...broken,
    {
      name: 'a header of 20,000 bytes',
      request: request({ Cookie: 'x'.repeat(20_000) }),
      status: 431,
    },
    { name: 'a path without a route', request: request({}, { path: '/nowhere' }), status: 404 },
  ],
};

export const subprotocols: HandshakeSection = {
  name: "handshake with protocols: ['chat', 'superchat']",
  options: { protocols: ['chat', 'superchat'] },
  cases: (
    [
      ['chat', 'chat'],
      ['superchat', 'superchat'],
      ['superchat, chat', 'chat'],
      ['foo, superchat', 'superchat'],
      ['foo,superchat', 'superchat'],
      ['foo\r\nSec-WebSocket-Protocol: chat', 'chat'],
      ['foo', null],
      ['CHAT', null],
      [undefined, null],
    ] as const
  ).map(([offered, agreed]) => ({
    name: `offered ${String(offered)}`.replace('\r\n', ' and '),
    request: request({ 'Sec-WebSocket-Protocol': offered }),
    status: 101,
    headers: { 'sec-websocket-protocol': agreed },
  })),
};

const DEFLATE = 'permessage-deflate';
const agreed = (offer: string, answer: string | null): HandshakeCase => ({
  name: `offered ${offer}`,
  request: request({ 'Sec-WebSocket-Extensions': offer }),
  status: 101,
  headers: { 'sec-websocket-extensions': answer },
});
const notAgreed = (offer: string): HandshakeCase => ({
  name: `refused ${offer}`,
  request: request({ 'Sec-WebSocket-Extensions': offer }),
  status: 400,
  headers: { 'sec-websocket-extensions': null },
  body: /Sec-WebSocket-Extensions/,
});

export const extensions: HandshakeSection = {
  name: 'handshake with perMessageDeflate',
  options: { perMessageDeflate: true },
  cases: [
    { ...agreed('foo', null), name: 'not offered' },
    agreed(DEFLATE, DEFLATE),
    agreed(`${DEFLATE}; client_max_window_bits`, DEFLATE),
    agreed(`${DEFLATE};client_max_window_bits`, DEFLATE),
    agreed(`${DEFLATE}; client_max_window_bits=10`, `${DEFLATE}; client_max_window_bits=10`),
    agreed(`${DEFLATE}; client_max_window_bits="10"`, `${DEFLATE}; client_max_window_bits=10`),
    agreed(`${DEFLATE}; server_max_window_bits=9`, `${DEFLATE}; server_max_window_bits=9`),
    agreed(`${DEFLATE}; server_no_context_takeover`, `${DEFLATE}; server_no_context_takeover`),
    agreed(`${DEFLATE}; client_no_context_takeover`, `${DEFLATE}; client_no_context_takeover`),
    agreed(
      `${DEFLATE}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=11`,
      `${DEFLATE}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=11`,
    ),
    agreed(`foo, ${DEFLATE}`, DEFLATE),
    agreed(`${DEFLATE}; server_max_window_bits=10, ${DEFLATE}`, `${DEFLATE}; server_max_window_bits=10`),
    ...[
      'server_max_window_bits',
      'server_max_window_bits=7',
      'server_max_window_bits=16',
      'server_max_window_bits=0',
      'server_max_window_bits=10.5',
      'server_max_window_bits=ten',
      'client_max_window_bits=7',
      'client_max_window_bits=16',
      'client_max_window_bits=x',
      'server_no_context_takeover=1',
      'client_no_context_takeover=true',
      'server_no_context_takeover; server_no_context_takeover',
      'client_max_window_bits=10; client_max_window_bits=11',
      'unknown_parameter',
      'unknown_parameter=1',
    ].map((parameters) => notAgreed(`${DEFLATE}; ${parameters}`)),
  ],
};

export const extensionChoices: HandshakeSection[] = [
  {
    name: 'handshake with perMessageDeflate { serverNoContextTakeover, clientNoContextTakeover: true }',
    options: { perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true } },
    cases: [agreed(DEFLATE, `${DEFLATE}; server_no_context_takeover; client_no_context_takeover`)],
  },
  {
    name: 'handshake with perMessageDeflate { serverMaxWindowBits: 10 }',
    options: { perMessageDeflate: { serverMaxWindowBits: 10 } },
    cases: [
      agreed(DEFLATE, `${DEFLATE}; server_max_window_bits=10`),
      agreed(`${DEFLATE}; server_max_window_bits=12`, `${DEFLATE}; server_max_window_bits=10`),
      notAgreed(`${DEFLATE}; server_max_window_bits=9`),
      agreed(`${DEFLATE}; server_max_window_bits=9, ${DEFLATE}`, `${DEFLATE}; server_max_window_bits=10`),
    ],
  },
  {
    name: 'handshake with perMessageDeflate { clientMaxWindowBits: 10 }',
    options: { perMessageDeflate: { clientMaxWindowBits: 10 } },
    cases: [
      agreed(`${DEFLATE}; client_max_window_bits`, `${DEFLATE}; client_max_window_bits=10`),
      agreed(`${DEFLATE}; client_max_window_bits=15`, `${DEFLATE}; client_max_window_bits=10`),
      notAgreed(DEFLATE),
    ],
  },
];
