import { describe, expect, test } from 'vitest';
import { write, block } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** Two stores on the same data, and one that was closed. */
export function severalStoresCases(subject: StoreAtHand): void {
  describe('two stores on the same data', () => {
    test('each sees what the other has written', async () => {
      const other = subject.open();
      for (let seq = 1; seq <= 20; seq++) {
        const [writer, reader] = seq % 2 ? [subject.store, other] : [other, subject.store];
        await writer.write(
          write({
            progress: { partition: 0, streamId: `${seq}-0`, completeAt: seq },
            blocks: [block('c', seq, seq)],
          }),
        );
        expect((await reader.newestBlock('c'))?.lastSeq).toBe(seq);
        expect((await reader.progress())[0]?.completeAt).toBe(seq);
      }
    });

    test('of the same blocks written by both at once each is stored by one', async () => {
      const other = subject.open();
      for (let first = 1; first <= 60; first += 20) {
        const blocks = Array.from({ length: 20 }, (_, index) => block('c', first + index, first + index));
        const [mine, theirs] = await Promise.all([
          subject.store.write(write({ blocks })),
          other.write(write({ blocks: blocks.toReversed() })),
        ]);
        const pairs = mine.map((outcome, index) => [outcome, theirs.toReversed()[index]].toSorted().join());
        expect(pairs).toEqual(blocks.map(() => 'stored,taken'));
      }
      expect(await subject.store.blocks('c', 1, 60, 'oldest', 100)).toHaveLength(60);
    });

    test('whoever sees a block sees progress that is not behind it', async () => {
      const reader = subject.open();
      let isDone = false;
      const writing = (async () => {
        for (let seq = 1; seq <= 40; seq++)
          await subject.store.write(
            write({
              progress: { partition: 0, streamId: `${seq}-0`, completeAt: seq },
              blocks: [block('c', seq, seq)],
            }),
          );
        isDone = true;
      })();
      let seen = 0;
      while (!isDone) {
        seen = (await reader.newestBlock('c'))?.lastSeq ?? 0;
        const [progress] = await reader.progress();
        expect(progress?.completeAt ?? 0).toBeGreaterThanOrEqual(seen);
      }
      await writing;
      expect((await reader.newestBlock('c'))?.lastSeq).toBe(40);
    });
  });

  test('a closed store rejects, and closing again does nothing', async () => {
    await subject.store.write(write({ blocks: [block('c', 1, 1)] }));
    await subject.store.close();
    await subject.store.close();
    await expect(subject.store.ping()).rejects.toThrow();
    await expect(subject.store.newestBlock('c')).rejects.toThrow();
    await expect(subject.store.write(write({ blocks: [block('c', 2, 2)] }))).rejects.toThrow();
    expect((await subject.open().newestBlock('c'))?.lastSeq).toBe(1);
  });
}
