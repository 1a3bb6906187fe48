import fc from 'fast-check';
import { expect, test } from 'vitest';
import { textFrames } from '../../../../gateway/session/text-frames.ts';
import { always } from '../../../support/properties.ts';

/** The texts of unmasked, unfragmented text frames, read as RFC 6455 describes them. */
function read(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    expect(bytes[at]).toBe(0b1000_0001);
    let length = bytes[at + 1]!;
    at += 2;
    if (length === 126) {
      length = bytes.readUInt16BE(at);
      expect(length).toBeGreaterThan(125);
      at += 2;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(at));
      expect(length).toBeGreaterThan(65_535);
      at += 8;
    }
    texts.push(bytes.toString('utf8', at, at + length));
    at += length;
  }
  return texts;
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 50 }),
  // Around the lengths at which a frame's head becomes longer.
  fc.constantFrom(0, 1, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537).map((length) => 'x'.repeat(length)),
  fc.constantFrom(31, 32, 16_383, 16_384).map((length) => '😀'.repeat(length)),
);

test('a client reads the texts that were written, in their order', () => {
  always(
    fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), (texts) => {
      expect(read(textFrames(texts))).toEqual(texts);
    }),
  );
});
