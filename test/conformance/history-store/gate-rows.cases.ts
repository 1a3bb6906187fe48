import { describe, expect, test } from 'vitest';
import { processRow } from '../../support/process-row.ts';
import type { StoreAtHand } from './under-test.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** What the contract in shared/history/gate-rows.ts promises. */
export function gateRowsCases(subject: StoreAtHand): void {
  describe('gate rows', () => {
    test('a new history knows no process and no slot', async () => {
      expect(await subject.store.enlisted()).toEqual([]);
      expect(await subject.store.slots()).toEqual(new Map());
    });

    test('processes come back as they enlisted, in order of id', async () => {
      const [first, second] = [processRow('b'), processRow('a', { role: 'jobs', pid: 1, formats: 9 })];
      await subject.store.enlist(first);
      await subject.store.enlist(second);
      expect(await subject.store.enlisted()).toEqual([second, first]);
    });

    test('a process that enlists again has one row, the later one', async () => {
      await subject.store.enlist(processRow('a'));
      const again = processRow('a', { since: 1_732_000_060_000, formats: 3 });
      await subject.store.enlist(again);
      expect(await subject.store.enlisted()).toEqual([again]);
    });

    test('each opening has a number above all others, whatever its slots are', async () => {
      const first = await subject.store.beginOpening(['p0', 'i0', 'i1']);
      expect(first).toBeGreaterThan(0);
      const second = await subject.store.beginOpening(['i1']);
      const third = await subject.store.beginOpening(['p1']);
      expect(second).toBeGreaterThan(first);
      expect(third).toBeGreaterThan(second);
      expect(await subject.store.slots()).toEqual(
        new Map([
          ['p0', { gate: first, mark: 0 }],
          ['i0', { gate: first, mark: 0 }],
          ['i1', { gate: second, mark: 0 }],
          ['p1', { gate: third, mark: 0 }],
        ]),
      );
    });

    test('an opening of no slot is an error and takes no number', async () => {
      await expect(subject.store.beginOpening([])).rejects.toThrow('at least one slot');
      expect(await subject.store.slots()).toEqual(new Map());
    });

    test('openings of several stores at one time have distinct numbers, and the highest remains', async () => {
      const stores = [subject.store, subject.open(), subject.open(), subject.open()];
      const numbers: number[] = [];
      for (let round = 0; round < 5; round++) {
        const lowest = numbers.length === 0 ? 0 : Math.max(...numbers);
        const given = await Promise.all(stores.map((one, index) => one.beginOpening(['p0', `i${index}`])));
        expect(Math.min(...given)).toBeGreaterThan(lowest);
        numbers.push(...given);
        const slots = await subject.store.slots();
        expect(slots.get('p0')).toEqual({ gate: Math.max(...given), mark: 0 });
        expect(stores.map((_, index) => slots.get(`i${index}`)?.gate)).toEqual(given);
      }
      expect(new Set(numbers).size).toBe(numbers.length);
    });

    test('of a process that enlists and an opening that begins, one sees the other', async () => {
      const [process, opener] = [subject.open(), subject.open()];
      for (const round of upTo(10)) {
        const starting = async (): Promise<number> => {
          await process.enlist(processRow(`process-${round}`));
          return (await process.slots()).get('p0')?.gate ?? 0;
        };
        const opening = async () => {
          const number = await opener.beginOpening(['p0']);
          return { number, ids: (await opener.enlisted()).map(({ id }) => id) };
        };
        const [least, { number, ids }] = await Promise.all([starting(), opening()]);
        expect(least >= number || ids.includes(`process-${round}`)).toBe(true);
      }
    });

    test('who is dismissed is gone, and the marks are there; again it changes nothing', async () => {
      await Promise.all(['a', 'b', 'c'].map((id) => subject.store.enlist(processRow(id))));
      const number = await subject.store.beginOpening(['p0', 'i0']);
      const marks = new Map([
        ['p0', 4],
        ['i7', 1],
      ]);
      const slots = new Map([
        ['p0', { gate: number, mark: 4 }],
        ['i0', { gate: number, mark: 0 }],
        ['i7', { gate: 0, mark: 1 }],
      ]);
      for (const _ of upTo(2)) {
        await subject.store.dismiss(['a', 'c', 'nobody'], marks);
        expect(await subject.store.enlisted()).toEqual([processRow('b')]);
        expect(await subject.store.slots()).toEqual(slots);
      }
      await subject.store.dismiss([], new Map());
      await subject.store.dismiss(['b'], new Map());
      expect(await subject.store.enlisted()).toEqual([]);
      expect(await subject.store.slots()).toEqual(slots);
    });

    test('a row that looked dead goes with its marks, but not one that has enlisted again', async () => {
      const [dead, paused] = [processRow('dead'), processRow('paused')];
      const awake = { ...paused, since: paused.since + 60_000 };
      await Promise.all([dead, paused, processRow('other')].map((row) => subject.store.enlist(row)));
      await subject.store.enlist(awake);
      for (const _ of upTo(2)) {
        await subject.store.dismissSilent([dead, paused, processRow('nobody')], new Map([['p0', 3]]));
        expect(await subject.store.enlisted()).toEqual([processRow('other'), awake]);
        expect(await subject.store.slots()).toEqual(new Map([['p0', { gate: 0, mark: 3 }]]));
      }
      await subject.store.dismissSilent([], new Map([['p0', 2]]));
      expect(await subject.store.slots()).toEqual(new Map([['p0', { gate: 0, mark: 3 }]]));
      await subject.store.dismissSilent([awake], new Map());
      expect(await subject.store.enlisted()).toEqual([processRow('other')]);
    });

    test('marks only rise, each for itself, and stay through openings', async () => {
      const markOf = async (slot: string) => (await subject.store.slots()).get(slot)?.mark;
      await subject.store.dismiss([], new Map([['p0', 5]]));
      await subject.store.dismiss(
        [],
        new Map([
          ['p0', 3],
          ['p1', 2],
        ]),
      );
      expect([await markOf('p0'), await markOf('p1')]).toEqual([5, 2]);
      await subject.store.beginOpening(['p0', 'p1']);
      await subject.store.dismiss([], new Map([['p0', 6]]));
      expect([await markOf('p0'), await markOf('p1')]).toEqual([6, 2]);
    });

    test('processes that leave at one time leave the highest mark of each slot', async () => {
      const stores = [subject.store, subject.open(), subject.open(), subject.open()];
      await Promise.all(stores.map((one, index) => one.enlist(processRow(`process-${index}`))));
      await Promise.all(
        stores.map((one, index) =>
          one.dismiss(
            [`process-${index}`],
            new Map([
              ['p0', index],
              [`p${index + 1}`, 9],
            ]),
          ),
        ),
      );
      expect(await subject.store.enlisted()).toEqual([]);
      expect(await subject.store.slots()).toEqual(
        new Map(['p0', 'p1', 'p2', 'p3', 'p4'].map((slot) => [slot, { gate: 0, mark: slot === 'p0' ? 3 : 9 }])),
      );
    });

    test('everything is there when the store is opened again, and numbers go on', async () => {
      const store = subject.open();
      const number = await store.beginOpening(['p0']);
      await store.enlist(processRow('a'));
      await store.enlist(processRow('b'));
      await store.dismiss(['b'], new Map([['p0', 7]]));
      await Promise.all([store, subject.store].map((one) => one.close()));
      const again = subject.open();
      expect(await again.enlisted()).toEqual([processRow('a')]);
      expect(await again.slots()).toEqual(new Map([['p0', { gate: number, mark: 7 }]]));
      expect(await again.beginOpening(['p1'])).toBeGreaterThan(number);
    });

    test('thousands of slots are one opening', async () => {
      const names = upTo(4096).map((index) => `i${index}`);
      const number = await subject.store.beginOpening(names);
      await subject.store.dismiss([], new Map(names.map((slot) => [slot, 1])));
      const slots = await subject.store.slots();
      expect(slots.size).toBe(names.length);
      expect(new Set(slots.values().map(({ gate, mark }) => `${gate} ${mark}`))).toEqual(new Set([`${number} 1`]));
    });
  });
}
