import { expect, test } from 'vitest';
import type { SearchIndex } from '../../../../shared/search/search-index.ts';
import { joinReaders } from '../../../../workers/search/readers.ts';

test('asks the reader that has the least to do', async () => {
  const asked: string[] = [];
  const waiting: (() => void)[] = [];
  const reader = (name: string): SearchIndex =>
    ({
      freshness() {
        asked.push(name);
        return new Promise((resolve) => waiting.push(() => resolve({ currentAt: 1, rebuilding: false })));
      },
      close: async () => void asked.push(`${name} closed`),
    }) as unknown as SearchIndex;
  const joined = joinReaders([reader('a'), reader('b')]);
  const first = joined.freshness();
  const second = joined.freshness();
  expect(asked).toEqual(['a', 'b']);
  waiting[1]!();
  await second;
  void joined.freshness();
  expect(asked).toEqual(['a', 'b', 'b']);
  waiting[0]!();
  expect(await first).toEqual({ currentAt: 1, rebuilding: false });
  await joined.close();
  expect(asked.slice(3)).toEqual(['a closed', 'b closed']);
});

test('counts a question that failed as done', async () => {
  const asked: string[] = [];
  const reader = (name: string): SearchIndex =>
    ({
      async state() {
        asked.push(name);
        throw new Error('broken');
      },
    }) as unknown as SearchIndex;
  const joined = joinReaders([reader('a'), reader('b')]);
  for (let i = 0; i < 2; i++) await expect(joined.state()).rejects.toThrow('broken');
  expect(asked).toEqual(['a', 'a']);
});
