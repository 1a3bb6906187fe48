import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ArchiveMessage, lastRun, toBlocks } from '../../../../workers/archive/blocks.ts';
import { always } from '../../../support/properties.ts';

const longest = { plain: 256 * 1024, packed: 1024 * 1024 };
const most = { plain: 500, packed: 1000 };

/** Runs of consecutive seqs with holes between them. Few texts are long, some longer than a block may be. */
const messages: fc.Arbitrary<ArchiveMessage[]> = fc
  .array(
    fc.record({
      hole: fc.nat(2),
      count: fc.oneof({ weight: 30, arbitrary: fc.integer({ min: 1, max: 9 }) }, fc.constantFrom(500, 501, 1001)),
      at: fc.nat(99),
      length: fc.oneof({ weight: 9, arbitrary: fc.nat(20) }, fc.constantFrom(90_000, 262_145)),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((runs) => {
    const made: ArchiveMessage[] = [];
    let seq = 0;
    for (const { hole, count, at, length } of runs) {
      seq += hole;
      for (let i = 0; i < count; i++) {
        seq += 1;
        const text = `${seq}`.padEnd(i === 0 ? length : 0, '.');
        made.push({ seq, streamId: `${seq}-0`, at: at + (i % 3), text });
      }
    }
    return made;
  });

test('a batch is cut into blocks that hold every message once, in order, without a hole, and within bounds', () => {
  always(
    fc.property(messages, fc.boolean(), (given, packed) => {
      const blocks = toBlocks('c', given, packed);
      const pace = packed ? 'packed' : 'plain';
      const found = blocks.flatMap(({ firstSeq, texts }) => texts.map((text, i) => ({ seq: firstSeq + i, text })));
      expect(found).toEqual(given.map(({ seq, text }) => ({ seq, text })));
      for (const { firstSeq, lastSeq, firstAt, lastAt, texts } of blocks) {
        expect(texts).toHaveLength(lastSeq - firstSeq + 1);
        const times = given.filter(({ seq }) => firstSeq <= seq && seq <= lastSeq).map(({ at }) => at);
        expect([firstAt, lastAt]).toEqual([Math.min(...times), Math.max(...times)]);
        expect(texts.length).toBeLessThanOrEqual(most[pace]);
        const length = texts.reduce((sum, text) => sum + text.length, 0);
        // One message is never cut, however long it is.
        expect(texts.length === 1 || length <= longest[pace]).toBe(true);
      }
      // No block is smaller than it must be.
      for (const [i, block] of blocks.entries()) {
        const next = blocks[i + 1];
        if (next === undefined || next.firstSeq !== block.lastSeq + 1) continue;
        const length = [...block.texts, next.texts[0]!].reduce((sum, text) => sum + text.length, 0);
        expect(block.texts.length === most[pace] || length > longest[pace]).toBe(true);
      }
      const [run] = lastRun('c', blocks);
      const lastHole = given.findLastIndex(({ seq }, i) => i > 0 && given[i - 1]!.seq !== seq - 1);
      expect(run).toEqual({
        conversation: 'c',
        firstSeq: given[Math.max(0, lastHole)]!.seq,
        texts: given.slice(Math.max(0, lastHole)).map(({ text }) => text),
      });
    }),
  );
});
