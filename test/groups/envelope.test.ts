import { expect, test } from 'vitest';
import { EnvelopeWriter, HEADER_BYTES, readEnvelope, readHeader } from '../../src/groups/envelope.js';

const writer = new EnvelopeWriter();

test.for([
  ['text', false, undefined, undefined],
  ['', true, undefined, undefined],
  ['text', false, 'position', undefined],
  ['', true, '漢字 🎉', undefined],
  ['text', true, undefined, 1_800_000_000_000],
  ['', false, '', 0],
] as const)('a message is read as it was written: %j', ([text, binary, latest, time]) => {
  const envelope = writer.wrapMessage(7, Buffer.from(text), binary, latest, time);
  expect(readEnvelope(envelope)).toEqual({
    origin: writer.origin,
    sequence: writer.sequence,
    number: 7,
    kind: 'message',
    bytes: Buffer.from(text),
    binary,
    latest,
    time,
  });
  expect(readHeader(envelope.subarray(0, HEADER_BYTES))).toEqual({
    origin: writer.origin,
    sequence: writer.sequence,
    number: 7,
  });
});

test('an envelope that is cut or has been changed gives a reason instead of a message', () => {
  const envelope = writer.wrapMessage(1, Buffer.from('text'), false, 'name');
  for (let length = 0; length < HEADER_BYTES + 6; length++)
    expect(readEnvelope(envelope.subarray(0, length)), `${length} bytes`).toBeTypeOf('string');
  const timed = writer.wrapMessage(1, Buffer.from('text'), false, 'name', 1_800_000_000_000);
  for (let length = 0; length < HEADER_BYTES + 12; length++)
    expect(readEnvelope(timed.subarray(0, length)), `${length} bytes`).toBeTypeOf('string');
  const changed = Buffer.from(envelope);
  changed[HEADER_BYTES + 3] = 0xff;
  expect(readEnvelope(changed)).toBe('its name is cut or not UTF-8');
  changed.writeUInt16BE(0xffff, HEADER_BYTES);
  expect(readEnvelope(changed)).toBe('its name is cut or not UTF-8');
  expect(readHeader(envelope.subarray(0, HEADER_BYTES - 1))).toBeUndefined();
  expect(readHeader(Buffer.alloc(HEADER_BYTES))).toBeUndefined();
});
