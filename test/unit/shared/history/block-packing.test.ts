import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { blockLimits, joinTexts, readBlock } from '../../../../shared/history/block.ts';
import { type Block, blockFormats } from '../../../../shared/history/store.ts';

/** Blocks as stores keep them: what comes back is what went in, or nothing at all. */

const blockOf = (texts: string[], format: number = blockFormats.packed): Block => ({
  conversation: 'c',
  firstSeq: 5,
  lastSeq: 4 + texts.length,
  firstAt: 1,
  lastAt: 2,
  format,
  rev: 0,
  texts,
});
function pack(texts: string[]): Uint8Array {
  const packed = joinTexts(blockOf(texts));
  if (typeof packed === 'string') throw new Error('it was not packed');
  return packed;
}
const message = (seq: number): string =>
  JSON.stringify({
    id: `0-${seq}`,
    seq,
    sender: `user-${seq % 7}`,
    body: { text: `message ${seq}: ${'na '.repeat(seq % 11)}` },
  });
const thousand = Array.from({ length: 1000 }, (_, index) => message(index));
const odd = [
  JSON.stringify('😀 \u2028 \u0000 "quoted" \\ \r\n end'),
  JSON.stringify('\ud800 alone, \udc00 alone'),
  '""',
  '{}',
  ' ',
  JSON.stringify('ÿ𝄞漢'.repeat(1000)),
];

describe.each([
  ['plain', blockFormats.plain],
  ['packed', blockFormats.packed],
])('%s', (_, format) => {
  test.each([
    ['odd texts', odd],
    ['one message', [message(1)]],
    ['one empty text', ['']],
    ['1,000 messages', thousand],
  ])('%s come back byte for byte', (__, texts) => {
    const block = blockOf(texts, format);
    expect(readBlock({ ...block, texts: joinTexts(block) })).toEqual(block);
  });

  test('refuses no message, too many, too long ones, and one that would end a line', () => {
    const join =
      (texts: string[], range: Partial<Block> = {}) =>
      () =>
        joinTexts({ ...blockOf(texts, format), ...range });
    expect(join([])).toThrow('not a range of seqs');
    expect(join(['{}'], { lastSeq: 9 })).toThrow('1 texts for its seqs');
    expect(join([...thousand, '{}'])).toThrow('more than 1000 messages');
    expect(join(['x'.repeat(blockLimits.characters), ''])).toThrow('more than 4000000 characters');
    expect(join(['a\nb'])).toThrow('a raw line end');
  });

  test('refuses a block with another number of messages than its seqs', () => {
    const stored = { ...blockOf(thousand, format), texts: joinTexts(blockOf(thousand, format)) };
    expect(() => readBlock({ ...stored, lastSeq: stored.lastSeq + 1 })).toThrow('block c 5-1005: holds 1000 texts');
  });
});

test('packs texts smaller, and stores plain texts as they are', () => {
  expect(joinTexts(blockOf(thousand, blockFormats.plain))).toBe(thousand.join('\n'));
  expect(pack(thousand).length).toBeLessThan(thousand.join('\n').length / 4);
});

test('returns the right texts or none of a pack with any changed bit, and names the block', () => {
  const texts = thousand.slice(0, 20);
  const packed = pack(texts);
  let refused = 0;
  for (let at = 0; at < packed.length; at++) {
    const changed = Uint8Array.from(packed);
    changed[at]! ^= 1 << (at % 8);
    const read = (): Block => readBlock({ ...blockOf(texts), texts: changed });
    try {
      expect(read().texts).toEqual(texts);
    } catch (error) {
      expect((error as Error).message).toBe('block c 5-24: cannot be unpacked');
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(packed.length - 5);
});

test('refuses a truncated pack wherever it ends', () => {
  const packed = pack(thousand.slice(0, 20));
  for (let length = 0; length < packed.length; length++)
    expect(() => readBlock({ ...blockOf(thousand.slice(0, 20)), texts: packed.subarray(0, length) })).toThrow(
      'block c 5-24',
    );
});

test('reads the longest possible block, and refuses a pack that would fill the memory', () => {
  // Three bytes each: no character takes more.
  const longest = blockOf(['漢'.repeat(blockLimits.characters)]);
  expect(readBlock({ ...longest, texts: joinTexts(longest) }).texts[0]).toHaveLength(blockLimits.characters);
  const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024, 'x'));
  expect(bomb.length).toBeLessThan(100_000);
  expect(() => readBlock({ ...blockOf(['']), texts: bomb })).toThrow('cannot be unpacked');
});

test('reads a pack without a checksum, as the first version wrote it', () => {
  const first = zstdCompressSync(thousand.join('\n'));
  expect(readBlock({ ...blockOf(thousand), texts: first }).texts).toEqual(thousand);
  // Both are what any zstd reads.
  expect(zstdDecompressSync(pack(thousand)).toString()).toBe(thousand.join('\n'));
});

test('reads no texts from a stub or a cold block, and refuses an unknown format', () => {
  for (const format of [blockFormats.stub, blockFormats.cold]) {
    expect(readBlock({ ...blockOf(['{}'], format), texts: '' }).texts).toEqual([]);
    expect(() => joinTexts(blockOf(['{}'], format))).toThrow(`cannot write format ${format}`);
  }
  for (const format of [0, 5, 9]) {
    expect(() => joinTexts(blockOf(['{}'], format))).toThrow(`cannot write format ${format}`);
    expect(() => readBlock({ ...blockOf(['{}'], format), texts: '{}' })).toThrow(`unknown format ${format}`);
  }
  // Bytes where text should be, and text where bytes should be.
  expect(() => readBlock({ ...blockOf(['{}'], blockFormats.plain), texts: pack(['{}']) })).toThrow('unknown format 1');
  expect(() => readBlock({ ...blockOf(['{}']), texts: '{}' })).toThrow('unknown format 2');
});
