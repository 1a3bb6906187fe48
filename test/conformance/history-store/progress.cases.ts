import { expect, test } from 'vitest';
import { write, block } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** How far the archive has come. */
export function progressCases(subject: StoreAtHand): void {
  test('progress has one row for each partition, the last one written', async () => {
    const progress = (partition: number, ms: number) => ({ partition, streamId: `${ms}-3`, completeAt: ms - 10 });
    await subject.store.write(write({ progress: progress(2, 100) }));
    await subject.store.write(write({ progress: progress(0, 200) }));
    await subject.store.write(write({ progress: progress(2, 300) }));
    expect((await subject.store.progress()).toSorted((a, b) => a.partition - b.partition)).toEqual([
      progress(0, 200),
      progress(2, 300),
    ]);
  });

  test('progress never goes back, whoever writes last', async () => {
    const at = (streamId: string, completeAt: number, partition = 0) => ({ partition, streamId, completeAt });
    await subject.store.write(write({ progress: at('1000-9', 990) }));
    await subject.store.write(write({ progress: at('999-12', 980), blocks: [block('c', 1, 1)] }));
    await subject.open().write(write({ progress: at('1000-3', 970) }));
    expect(await subject.store.progress()).toEqual([at('1000-9', 990)]);
    await subject.store.write(write({ progress: at('1000-10', 900) }));
    await subject.store.write(write({ progress: at('900-10', 995), blocks: [block('c', 2, 2)] }));
    expect(await subject.store.progress()).toEqual([at('1000-10', 995)]);
    await subject.store.write(write({ progress: at('1000-11', 996) }));
    await subject.store.write(write({ progress: at('1795880618123-0', 996) }));
    expect(await subject.open().progress()).toEqual([at('1795880618123-0', 996)]);
  });
}
