import { describe, expect, test } from 'vitest';
import type { Span } from '../../../../shared/model/model.ts';
import { covers, decodeSpans, encodeSpans } from '../../../../shared/model/spans.ts';

describe('spans as text', () => {
  test.each<[string, Span[]]>([
    ['', []],
    ['0-', [{ joined: 0, left: null }]],
    ['0-0', [{ joined: 0, left: 0 }]],
    [
      '0-5,9-',
      [
        { joined: 0, left: 5 },
        { joined: 9, left: null },
      ],
    ],
    [
      '1-2,3-4,9007199254740990-9007199254740991',
      [
        { joined: 1, left: 2 },
        { joined: 3, left: 4 },
        { joined: 9007199254740990, left: 9007199254740991 },
      ],
    ],
  ])('%j', (text, spans) => {
    expect(encodeSpans(spans)).toBe(text);
    expect(decodeSpans(text)).toEqual(spans);
  });

  test.each([
    ',',
    '0',
    '-',
    '-5',
    '0-5,',
    ',0-5',
    '0-5;9-',
    '0-5, 9-',
    ' 0-5',
    '0-5 ',
    '00-5',
    '0-05',
    '1e3-',
    '0x1-',
    '0--5',
    '0-5-9',
    'a-b',
    '0-\n',
  ])('%j is refused', (text) => {
    expect(() => decodeSpans(text)).toThrow('not spans');
  });
});

describe('covers', () => {
  const spans = decodeSpans('2-5,9-');

  test.each([
    [1, false],
    [2, false],
    [3, true],
    [5, true],
    [6, false],
    [9, false],
    [10, true],
    [Number.MAX_SAFE_INTEGER, true],
  ])('seq %i: %s', (seq, expected) => {
    expect(spans.some((span) => covers(span, seq))).toBe(expected);
  });

  test('cover nothing if they end where they began', () => {
    expect([1, 2, 3].some((seq) => covers({ joined: 2, left: 2 }, seq))).toBe(false);
  });
});
