import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { block, deployment, member, write } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** Writes of the archive belong to an epoch: see the guarantees in shared/history/store.ts. */
export function epochCases(subject: StoreAtHand): void {
  describe('writes of an epoch', () => {
    const over = /read in epoch \S+, which is over/;
    const progress = { partition: 1, streamId: '5-0', completeAt: 5 };
    const batch = (epoch: string, seq = 1) => write({ epoch, progress, blocks: [block('c', seq, seq)] });

    test('are taken in the present one, and as long as there is none', async () => {
      await subject.store.write(batch('e0', 1));
      await subject.store.saveDeployment(null, deployment('e1'));
      await subject.store.write(batch('e1', 2));
      await subject.open().write(batch('e1', 3));
      await subject.store.saveDeployment('e1', deployment('e2', 2));
      await subject.open().write(batch('e2', 4));
      expect(await subject.store.lastSeqs(['c'])).toEqual(new Map([['c', 4]]));
    });

    test('are refused in another one, and nothing of them is written', async () => {
      await subject.store.saveDeployment(null, deployment('e1'));
      await subject.store.write(batch('e1'));
      await subject.store.saveDeployment('e1', deployment('e2', 2));
      const late = { epoch: 'e1', progress: { partition: 1, streamId: '9-0', completeAt: 9 } };
      const store = subject.open();
      await expect(store.write(write({ ...late, blocks: [block('c', 2, 2)] }))).rejects.toThrow(over);
      await expect(
        store.write(
          write({ ...late, members: [member('d', 'bob')], skips: [{ conversation: 'd', fromSeq: 1, toSeq: 2 }] }),
        ),
      ).rejects.toThrow(over);
      const many = Array.from({ length: 1200 }, (_, i) => member('d', `user${i}`));
      await expect(store.write(write({ ...late, members: many }))).rejects.toThrow(over);
      await expect(store.write(write(late))).rejects.toThrow(over);
      // In a partition of which nothing was written before.
      await expect(
        store.write(write({ ...late, progress: { ...late.progress, partition: 3 }, blocks: [block('d', 1, 1)] })),
      ).rejects.toThrow(over);
      expect(await subject.store.lastSeqs(['c', 'd'])).toEqual(new Map([['c', 1]]));
      expect(await subject.store.conversationsOf('user7', '', 9)).toEqual([]);
      const known = (await subject.store.progress()).filter(({ streamId }) => streamId !== '0-0');
      expect(known).toEqual([progress]);
      await store.write(write({ epoch: 'e2', progress: late.progress }));
      expect(await subject.store.progress()).toContainEqual(late.progress);
    });

    test('are refused under a later one than history knows, which was restored from a backup then', async () => {
      await subject.store.saveDeployment(null, deployment('e1'));
      await expect(subject.store.write(batch('e2'))).rejects.toThrow(over);
    });

    test('need a progress', async () => {
      await expect(subject.store.write(write({ epoch: 'e1', blocks: [block('c', 1, 1)] }))).rejects.toThrow('progress');
    });

    test('are not bound to one without its name', async () => {
      await subject.store.saveDeployment(null, deployment('e1'));
      await subject.store.write(write({ progress, blocks: [block('c', 1, 1)] }));
      expect(await subject.store.lastSeqs(['c'])).toEqual(new Map([['c', 1]]));
    });

    test('are stored before the next one is, or never', { timeout: 60_000 }, async () => {
      const [archive, opener] = [subject.store, subject.open()];
      await opener.saveDeployment(null, deployment('e0'));
      // Enough of them that another call may come in between.
      const members = Array.from({ length: 900 }, (_, i) => member('d', `user${i}`));
      for (let turn = 1; turn <= 40; turn++) {
        const conversation = `c${turn}`;
        const begin = () => opener.saveDeployment(`e${turn - 1}`, deployment(`e${turn}`, turn + 1));
        const early = turn % 2 === 0 ? begin() : null;
        if (early !== null) await pause(turn % 5);
        const late = archive
          .write(write({ epoch: `e${turn - 1}`, progress, members, blocks: [block(conversation, 1, 1)] }))
          .then(
            () => true,
            (thrown: Error) => (over.test(thrown.message) ? false : Promise.reject(thrown)),
          );
        if (early === null) await pause(turn);
        await (early ?? begin());
        const isThere = (await opener.lastSeqs([conversation])).has(conversation);
        expect(await late).toBe(isThere);
      }
    });
  });
}
