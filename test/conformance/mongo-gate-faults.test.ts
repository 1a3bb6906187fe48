import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openMongoStore } from '../../shared/history/mongo/store.ts';
import type { HistoryStore } from '../../shared/history/store.ts';
import { findMongod } from '../../tools/harness/mongod.ts';
import { type ReplicaSet, startReplicaSet } from '../../tools/harness/replica-set.ts';
import { withDatabase } from '../support/mongo-server.ts';
import { processRow } from '../support/process-row.ts';
import { untilAnswered } from '../support/until-answered.ts';

/**
 * Rows of processes and openings on a replica set of three real nodes that are killed and deposed. MONGODB_FAULTS=long
 * does it for as long as it takes to see what is rare.
 */
const isLong = process.env['MONGODB_FAULTS'] === 'long';
const killRounds = isLong ? 10 : 1;
const stepDownsMs = isLong ? 60_000 : 8000;
const betweenStepDownsMs = isLong ? 5000 : 3000;

const mongod = await findMongod();

if ('missing' in mongod) {
  test('gate rows in MongoDB on three nodes', ({ skip }) => skip(mongod.missing));
} else {
  describe(`gate rows in MongoDB on three nodes, ${mongod.from}`, () => {
    let set: ReplicaSet;
    let url: string;
    let opened: HistoryStore[] = [];
    const open = (): HistoryStore => {
      const store = openMongoStore(url);
      opened.push(store);
      return store;
    };

    beforeAll(async () => void (set = await startReplicaSet(mongod.path, 3)));
    afterAll(() => set.stop());
    beforeEach(() => void (url = withDatabase(set.url, `restante_${randomBytes(6).toString('hex')}`)));
    afterEach(async () => {
      await Promise.all(opened.map((one) => one.close()));
      opened = [];
      await set.heal();
    });

    /** Kills the primary in the same turn of the event loop in which a write was acknowledged. */
    async function killAfter<T>(write: () => Promise<T>): Promise<T> {
      const primary = await set.primary();
      const answer = await write();
      await set.kill(primary);
      return answer;
    }

    test(
      `others see what was acknowledged after the primary was killed at that moment, ${3 * killRounds} times`,
      async () => {
        const [writer, reader] = [open(), open()];
        let lowest = 0;
        for (let round = 1; round <= killRounds; round++) {
          const id = `process-${round}`;
          await untilAnswered(() => reader.ping());
          await killAfter(() => writer.enlist(processRow(id)));
          expect(await untilAnswered(() => reader.enlisted())).toEqual([processRow(id)]);
          await set.heal();

          const number = await killAfter(() => untilAnswered(() => writer.beginOpening(['p0', 'i0'])));
          expect(number).toBeGreaterThan(lowest);
          const slots = await untilAnswered(() => reader.slots());
          expect([slots.get('p0')?.gate, slots.get('i0')?.gate]).toEqual([number, number]);
          lowest = await untilAnswered(() => reader.beginOpening(['i0']));
          expect(lowest).toBeGreaterThan(number);
          await set.heal();

          await killAfter(() => untilAnswered(() => writer.dismiss([id], new Map([['p0', round]]))));
          expect(await untilAnswered(() => reader.enlisted())).toEqual([]);
          expect((await untilAnswered(() => reader.slots())).get('p0')?.mark).toBe(round);
          await set.heal();
        }
      },
      30_000 + killRounds * 90_000,
    );

    test(
      `numbers rise and none is given twice while the primary is deposed every ${betweenStepDownsMs / 1000} s`,
      async () => {
        const stores = [open(), open(), open()];
        await Promise.all(stores.map((one) => one.ping()));
        let isOver = false;
        const deposing = (async () => {
          for (const end = performance.now() + stepDownsMs; performance.now() < end;) {
            await set
              .command(await set.primary(), { replSetStepDown: 3, secondaryCatchUpPeriodSecs: 2 })
              .catch(() => undefined);
            await pause(betweenStepDownsMs);
          }
          isOver = true;
        })();
        const given: number[] = [];
        let highest = 0;
        const begin = async (store: HistoryStore, slot: string): Promise<void> => {
          while (!isOver) {
            const before = highest;
            const number = await untilAnswered(() => store.beginOpening([slot]));
            expect(number).toBeGreaterThan(before);
            highest = Math.max(highest, number);
            given.push(number);
          }
        };
        await Promise.all([deposing, ...stores.map((one, index) => begin(one, `i${index}`))]);
        console.log(`stepDown: ${given.length} openings in ${stepDownsMs} ms`);
        expect(given.length).toBeGreaterThan(0);
        expect(new Set(given).size).toBe(given.length);
        const slots = await untilAnswered(() => open().slots());
        expect(Math.max(...[...slots.values()].map(({ gate }) => gate))).toBeGreaterThanOrEqual(highest);
      },
      90_000 + stepDownsMs,
    );
  });
}
