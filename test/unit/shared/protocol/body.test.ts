import { describe, expect, test } from 'vitest';
import { bodyJson, nestsDeeper } from '../../../../shared/protocol/body.ts';

const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

describe('nesting', () => {
  test.each([
    [null, 0],
    ['text', 0],
    [7, 0],
    [[], 1],
    [{}, 1],
    [[[]], 2],
    [{ a: { b: [] }, c: 1 }, 3],
    [nested(64), 64],
  ])('counts %j as %i levels', (value, depth) => {
    expect(nestsDeeper(value, depth)).toBe(false);
    if (depth > 0) expect(nestsDeeper(value, depth - 1)).toBe(true);
  });

  test('measures a hostile deep value without recursion, and a wide one without copies', () => {
    let deep: unknown = [];
    for (let i = 0; i < 200_000; i++) deep = [deep];
    expect(nestsDeeper(deep, 64)).toBe(true);
    expect(
      nestsDeeper(
        Array.from({ length: 200_000 }, () => ({})),
        64,
      ),
    ).toBe(false);
    expect(() => bodyJson(deep, 1_000_000)).toThrow('nests deeper than 64');
  });
});

describe('size', () => {
  const codeOf = (body: unknown, most: number): string | null => {
    try {
      bodyJson(body, most);
      return null;
    } catch (thrown) {
      return (thrown as { code: string }).code;
    }
  };

  test.each([
    ['a', 8, 10],
    ['é', 4, 10],
    ['€', 3, 11],
    ['😀', 2, 10],
    ['\ud800', 1, 8],
    ['\n', 4, 10],
  ])('counts %j × %i as %i bytes', (character, count, bytes) => {
    const body = character.repeat(count);
    expect(Buffer.byteLength(JSON.stringify(body))).toBe(bytes);
    expect(codeOf(body, bytes)).toBe(null);
    expect(codeOf(body, bytes - 1)).toBe('too_large');
  });

  test('writes the same JSON as JavaScript', () => {
    expect(bodyJson(JSON.parse('{"2":1,"1":-0,"a":1e2}'), 100)).toBe('{"1":0,"2":1,"a":100}');
  });
});
