import type { SearchIndex, SearchReads } from '../../shared/search/search-index.ts';

/**
 * Several readers of one index as one: a question goes to the one that has the least to do. So a question that takes
 * long, such as one about a single letter, does not hold up all others.
 */
export function joinReaders(readers: readonly SearchIndex[]): SearchReads & { close(): Promise<void> } {
  const underWay = new Map(readers.map((reader) => [reader, 0]));

  async function withFreest<T>(use: (reader: SearchIndex) => Promise<T>): Promise<T> {
    const [reader, count] = [...underWay].reduce((one, other) => (other[1] < one[1] ? other : one));
    underWay.set(reader, count + 1);
    try {
      return await use(reader);
    } finally {
      underWay.set(reader, underWay.get(reader)! - 1);
    }
  }

  return {
    ask: (question) => withFreest((reader) => reader.ask(question)),
    freshness: () => withFreest((reader) => reader.freshness()),
    state: () => withFreest((reader) => reader.state()),
    async close() {
      await Promise.all(readers.map((reader) => reader.close()));
    },
  };
}
