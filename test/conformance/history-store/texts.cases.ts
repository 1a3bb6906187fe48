import { describe, expect, test } from 'vitest';
import type { Block } from '../../../shared/history/store.ts';
import { write, block, group, member } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** Texts of blocks come back byte for byte, plain and packed. */
export function textCases(subject: StoreAtHand): void {
  describe('packed', () => {
    const packed = (of: Block): Block => ({ ...of, format: 2 });

    test('texts come back byte for byte', async () => {
      const odd = packed({
        ...block('c', 1, 4),
        texts: ['{"body":"\u2028\ud83d\ude00"}', '""', `"${'x'.repeat(100_000)}"`, '"\\ud800"'],
      });
      const many = packed(block('c', 5, 1004));
      expect(await subject.store.write(write({ blocks: [odd, many, block('c', 1005, 1005)] }))).toEqual([
        'stored',
        'stored',
        'stored',
      ]);
      expect(await subject.store.blocks('c', 1, 1005, 'oldest', 9)).toEqual([odd, many, block('c', 1005, 1005)]);
      expect(await subject.store.newestBlock('c')).toEqual(block('c', 1005, 1005));
      expect(await subject.store.write(write({ blocks: [many] }))).toEqual(['taken']);
    });
  });

  describe('texts', () => {
    test('come back byte for byte', async () => {
      const bodies: unknown[] = [
        'plain',
        '',
        '😀 👩‍👩‍👧‍👦 é e\u0301 漢字 \u{10FFFF}',
        'line \u2028 and paragraph \u2029 ends, \n \r\n \t',
        'nul \u0000 and \u001f, \ufeff, \ufffe, \uffff',
        'lone \ud800 and \udc00',
        { 'a.b': 1, $where: 2, '': 3, 'c\u0000d': 4 },
        JSON.parse('{"__proto__":{"polluted":true},"constructor":1}'),
        [[[1, [2, [3]]]], [], {}],
        [1e21, 5e-324, -0, 2 ** 53, 0.1, 1e300],
        null,
        "'; DROP TABLE blocks; --",
      ];
      const texts = bodies.map((body, index) => JSON.stringify({ seq: index + 1, body }));
      // JSON that JSON.stringify would write in another way: spaces, the order of number-like keys, long numbers.
      texts.push(
        '{"b":1, "a" : 2,"10":0,"9":0}',
        '{"n":1.0,"m":12345678901234567890,"e":1E2}',
        '{"u":"\\u00e9\\/"}',
        '',
      );
      const full: Block = { ...block('c', 1, texts.length), texts };
      expect(await subject.store.write(write({ blocks: [full] }))).toEqual(['stored']);
      const back = (await subject.open().newestBlock('c'))?.texts ?? [];
      expect(back.map((one) => Buffer.from(one).toString('hex'))).toEqual(
        texts.map((one) => Buffer.from(one).toString('hex')),
      );
    });

    test('a block of one empty text has one text', async () => {
      const empty = { ...block('c', 1, 1), texts: [''] };
      await subject.store.write(write({ blocks: [empty] }));
      expect(await subject.store.newestBlock('c')).toEqual(empty);
    });

    test('a large block', async () => {
      const large = {
        ...block('c', 1, 200),
        texts: Array.from({ length: 200 }, (_, n) => `"${String(n).padEnd(16_000, 'x')}"`),
      };
      await subject.store.write(write({ blocks: [large] }));
      expect(await subject.store.newestBlock('c')).toEqual(large);
    });

    test('numbers up to the largest safe integer', async () => {
      const last = Number.MAX_SAFE_INTEGER;
      const high = { ...block('c', last - 1, last), firstAt: 8_640_000_000_000_000, lastAt: 8_640_000_000_000_000 };
      const skip = { conversation: 'c', fromSeq: 2 ** 31, toSeq: last - 2 };
      const spans = [{ joined: 2 ** 32, left: last }];
      await subject.store.write(
        write({
          conversations: [group('c', last)],
          members: [member('c', 'bob', last, spans)],
          skips: [skip],
          blocks: [high],
        }),
      );
      expect(await subject.store.blocks('c', last, last, 'oldest', 1)).toEqual([high]);
      expect(await subject.store.conversation('c')).toEqual({
        info: group('c', last),
        members: [member('c', 'bob', last, spans)],
        skips: [skip],
        recorded: [skip],
        lastSeq: last,
        amendSeq: 0,
      });
    });
  });
}
