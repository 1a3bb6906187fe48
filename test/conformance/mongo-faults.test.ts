import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openMongoStore } from '../../shared/history/mongo/store.ts';
import type { ArchiveWrite, Block, HistoryStore } from '../../shared/history/store.ts';
import { findMongod } from '../../tools/harness/mongod.ts';
import { type ReplicaSet, startReplicaSet } from '../../tools/harness/replica-set.ts';
import { archiveWithoutRedis, messageEntries } from '../support/archive.ts';
import { withDatabase } from '../support/mongo-server.ts';
import { untilAnswered } from '../support/until-answered.ts';

/**
 * The MongoDB store on a replica set of three real nodes that are killed, paused and deposed. MONGODB_FAULTS=long does
 * each for as long as it takes to see what is rare.
 */
const isLong = process.env['MONGODB_FAULTS'] === 'long';
const killRounds = isLong ? 20 : 2;
const stepDownsMs = isLong ? 60_000 : 8000;
const betweenStepDownsMs = isLong ? 5000 : 3000;

const mongod = await findMongod();

const nothing: ArchiveWrite = { progress: null, conversations: [], members: [], skips: [], amendments: [], blocks: [] };
const textOf = (conversation: string, seq: number): string =>
  `{"id":"0-${seq}-0","conversation":"${conversation}","seq":${seq},"at":${seq},"body":1}`;
const blockOf = (conversation: string, seq: number): Block => ({
  conversation,
  firstSeq: seq,
  lastSeq: seq,
  firstAt: seq,
  lastAt: seq,
  format: 1,
  rev: 0,
  texts: [textOf(conversation, seq)],
});
const writeOf = (conversation: string, seq: number): ArchiveWrite => ({
  ...nothing,
  progress: { partition: 0, streamId: `${seq}-0`, completeAt: seq },
  blocks: [blockOf(conversation, seq)],
});
const member = (conversation: string, seq: number) => ({
  conversation,
  user: `user-${seq}`,
  spans: [{ joined: 0, left: null }],
  version: 1,
});

/** How long a task took (ms), and how it ended. */
async function timed<T>(task: () => Promise<T>): Promise<{ ms: number; failed: boolean }> {
  const began = performance.now();
  const failed = await task().then(
    () => false,
    () => true,
  );
  return { ms: Math.round(performance.now() - began), failed };
}

async function seqsOf(store: HistoryStore, conversation: string): Promise<number[]> {
  const found: number[] = [];
  for (;;) {
    const page = await untilAnswered(() => store.ranges(conversation, (found.at(-1) ?? 0) + 1, 1000));
    found.push(...page.map(({ firstSeq }) => firstSeq));
    if (page.length < 1000) return found;
  }
}
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

if ('missing' in mongod) {
  test('MongoDB store on three nodes', ({ skip }) => skip(mongod.missing));
} else {
  describe(`MongoDB store on three nodes, ${mongod.from}`, () => {
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
    async function killAfter(write: () => Promise<unknown>): Promise<void> {
      const primary = await set.primary();
      await write();
      await set.kill(primary);
    }

    test(
      `what was acknowledged is seen by others after the primary was killed at that moment, ${killRounds} times`,
      async () => {
        const [writer, reader] = [open(), open()];
        for (let seq = 1; seq <= killRounds; seq++) {
          const conversation = {
            id: `c${seq}`,
            kind: 'group' as const,
            name: null,
            createdAt: 1,
            service: false,
            users: null,
            historyDays: null,
            version: 1,
          };
          await untilAnswered(() => reader.ping());
          await killAfter(() =>
            writer.write({ ...writeOf('c', seq), conversations: [conversation], members: [member('c', seq)] }),
          );
          const [ends, progress, found, ofUser] = await Promise.all([
            untilAnswered(() => reader.lastSeqs(['c'])),
            untilAnswered(() => reader.progress()),
            untilAnswered(() => reader.conversation(`c${seq}`)),
            untilAnswered(() => reader.conversationsOf(`user-${seq}`, '', 9)),
          ]);
          expect(ends.get('c')).toBe(seq);
          expect(progress).toEqual([{ partition: 0, streamId: `${seq}-0`, completeAt: seq }]);
          expect(found?.info).toEqual(conversation);
          expect(ofUser).toMatchObject([{ lastSeq: seq }]);
          await set.heal();
        }
        expect(await seqsOf(reader, 'c')).toEqual(upTo(killRounds));
      },
      30_000 + killRounds * 30_000,
    );

    test(
      `an archive that takes over at that moment records nothing stored as skipped, ${killRounds} times`,
      async () => {
        const holes: object[] = [];
        const archiveOf = (history: HistoryStore) => archiveWithoutRedis(history, holes);
        const stores = [open(), open()] as const;
        await stores[0].write({
          ...nothing,
          conversations: [
            {
              id: 'c',
              kind: 'group',
              name: null,
              createdAt: 1,
              service: false,
              users: null,
              historyDays: null,
              version: 1,
            },
          ],
        });
        for (let round = 0; round < killRounds; round++) {
          const [owner, next] = [archiveOf(stores[round % 2]!), archiveOf(stores[(round + 1) % 2]!)];
          const first = round * 10 + 1;
          await untilAnswered(() => stores[(round + 1) % 2]!.ping());
          await killAfter(() => untilAnswered(() => owner.handle(0, messageEntries(first, first + 4), true)));
          // The first five were settled with the acknowledgement: they are not pending any more.
          await untilAnswered(() => next.handle(0, messageEntries(first + 5, first + 9), true));
          await set.heal();
        }
        const stored = await untilAnswered(() => stores[0].conversation('c'));
        expect(holes).toEqual([]);
        expect(stored).toMatchObject({ skips: [], recorded: [], lastSeq: killRounds * 10 });
        expect((await seqsOf(stores[0], 'c')).length).toBe(killRounds * 2);
      },
      30_000 + killRounds * 30_000,
    );

    test(
      `nothing is lost, doubled or skipped while the primary is deposed every ${betweenStepDownsMs / 1000} s`,
      async () => {
        const [writer, reader] = [open(), open()];
        await writer.ping();
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
        let seq = 0;
        let longestMs = 0;
        const reading = (async () => {
          while (!isOver) {
            const before = seq;
            const ends = await untilAnswered(() => reader.lastSeqs(['c']));
            expect(ends.get('c') ?? 0).toBeGreaterThanOrEqual(before);
          }
        })();
        while (!isOver) {
          const { ms } = await timed(() => untilAnswered(() => writer.write(writeOf('c', seq + 1))));
          longestMs = Math.max(longestMs, ms);
          seq += 1;
        }
        await Promise.all([deposing, reading]);
        console.log(`stepDown: ${seq} writes in ${stepDownsMs} ms, the longest took ${longestMs} ms`);
        expect(await seqsOf(reader, 'c')).toEqual(upTo(seq));
        expect(await untilAnswered(() => reader.progress())).toEqual([
          { partition: 0, streamId: `${seq}-0`, completeAt: seq },
        ]);
      },
      90_000 + stepDownsMs,
    );

    test('with two of three dead calls fail fast, and all goes on when one is back', async () => {
      const store = open();
      for (const seq of upTo(20)) await store.write(writeOf('c', seq));
      const primary = await set.primary();
      const others = [0, 1, 2].filter((node) => node !== primary);
      await Promise.all(others.map((node) => set.kill(node)));
      const writing = timed(() => store.write(writeOf('c', 21)));
      // The primary gives up when it has not heard of the others for the time of an election.
      await expect
        .poll(() => timed(() => store.blocks('c', 1, 20, 'oldest', 20)), { timeout: 30_000, interval: 100 })
        .toMatchObject({ failed: true });
      expect((await writing).failed).toBe(true);
      await expect
        .poll(() => timed(() => store.lastSeqs(['c'])).then(({ ms, failed }) => failed && ms < 100), {
          timeout: 20_000,
          interval: 100,
        })
        .toBe(true);
      const down = await Promise.all([
        timed(() => store.blocks('c', 1, 20, 'oldest', 20)),
        timed(() => store.write(writeOf('c', 21))),
        timed(() => store.progress()),
      ]);
      expect(down.map(({ failed }) => failed)).toEqual([true, true, true]);
      expect(Math.max(...down.map(({ ms }) => ms))).toBeLessThan(500);
      await set.start(others[0]!);
      await untilAnswered(() => store.write(writeOf('c', 21)));
      expect(await seqsOf(store, 'c')).toEqual(upTo(21));
    }, 120_000);

    test('a primary that is silent holds up a page for 4 s at most, and not for ever', async () => {
      const [store, other] = [open(), open()];
      for (const seq of upTo(20)) await store.write(writeOf('c', seq));
      await other.blocks('c', 1, 20, 'oldest', 20);
      const primary = await set.primary();
      set.nodes[primary]!.pause();
      try {
        const pages: { ms: number; failed: boolean }[] = [];
        const ask = async (): Promise<boolean> => {
          pages.push(await timed(() => other.blocks('c', 1, 20, 'oldest', 20)));
          return pages.at(-1)!.failed;
        };
        // The signal has an effect a moment later; then there is another primary some seconds later.
        while (!(await ask()));
        while (await ask()) await pause(50);
        const longestMs = Math.max(...pages.map(({ ms }) => ms));
        console.log(`silent primary: the longest page took ${longestMs} ms, ${pages.length} asked for`);
        expect(longestMs).toBeLessThan(6000);
        await untilAnswered(() => store.write(writeOf('c', 21)));
      } finally {
        set.nodes[primary]!.resume();
      }
      // The one that was paused may believe for a moment that it is still the primary.
      for (let asked = 0; asked < 20; asked++)
        expect((await untilAnswered(() => other.lastSeqs(['c']))).get('c')).toBe(21);
      expect(await seqsOf(other, 'c')).toEqual(upTo(21));
    }, 120_000);

    test('what was acknowledged before all three were killed is there', async () => {
      const store = open();
      let seq = 0;
      for (; seq < 30; seq++) await store.write(writeOf('c', seq + 1));
      await Promise.all(upTo(3).map((node) => set.kill(node - 1)));
      expect((await timed(() => store.write(writeOf('c', 31)))).failed).toBe(true);
      await set.heal();
      expect((await untilAnswered(() => store.lastSeqs(['c']))).get('c')).toBe(30);
      expect(await untilAnswered(() => store.write(writeOf('c', 31)))).toEqual(['stored']);
      expect(await seqsOf(open(), 'c')).toEqual(upTo(31));
    }, 120_000);

    test('a version with more indexes opens while one node is down', async () => {
      const client = new MongoClient(url);
      const blocks = client.db().collection('blocks');
      // As a version of before has left them.
      await blocks.createIndexes([
        { key: { conversation: 1, firstSeq: 1 }, unique: true },
        { key: { conversation: 1, lastSeq: 1 } },
      ]);
      await blocks.insertMany(
        upTo(500).map((seq) => ({ ...blockOf('c', seq), texts: textOf('c', seq) })),
        { writeConcern: { w: 3 } },
      );
      const primary = await set.primary();
      await set.kill([0, 1, 2].find((node) => node !== primary)!);
      const store = open();
      const opening = await timed(() => untilAnswered(() => store.lastSeqs(['c'])));
      console.log(`opening with new indexes and one node down: ${opening.ms} ms`);
      expect((await store.lastSeqs(['c'])).get('c')).toBe(500);
      expect((await store.blocks('c', 1, 500, 'newest', 3)).map(({ firstSeq }) => firstSeq)).toEqual([500, 499, 498]);
      const names = (await blocks.indexes()).map(({ name }) => name);
      expect(names).toContain('conversation_1_lastSeq_-1_firstSeq_1');
      expect(names).not.toContain('conversation_1_lastSeq_1');
      await client.close();
    }, 60_000);
  });
}
