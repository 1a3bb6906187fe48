import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type {
  ArchiveWrite,
  Block,
  Deployment,
  HistoryStore,
  Loss,
  MemberRow,
  SkipRow,
} from '../../shared/history/store.ts';
import type { ConversationInfo } from '../../shared/model/model.ts';

/**
 * Where one test keeps its data. Every `open` gives another store on the same data. `put` makes the object of a block
 * where there is a cold store.
 */
export type Place = { open(): HistoryStore; remove(): Promise<void>; put?(block: Block): Promise<void> };

const write = (part: Partial<ArchiveWrite>): ArchiveWrite => ({
  progress: null,
  conversations: [],
  members: [],
  skips: [],
  blocks: [],
  ...part,
});

const text = (conversation: string, seq: number, mark = ''): string => JSON.stringify({ conversation, seq, mark });

/** A block of the seqs given; message n of a conversation is accepted at n * 1000. */
const block = (conversation: string, firstSeq: number, lastSeq: number, mark = ''): Block => ({
  conversation,
  firstSeq,
  lastSeq,
  firstAt: firstSeq * 1000,
  lastAt: lastSeq * 1000,
  format: 1,
  texts: Array.from({ length: lastSeq - firstSeq + 1 }, (_, index) => text(conversation, firstSeq + index, mark)),
});

const group = (id: string, version = 1, name: string | null = null): ConversationInfo => ({
  id,
  kind: 'group',
  name,
  createdAt: 1_732_000_000_000,
  service: false,
  users: null,
  historyDays: null,
  version,
});

const member = (
  conversation: string,
  user: string,
  version = 1,
  spans = [{ joined: 0, left: null }] as MemberRow['spans'],
): MemberRow => ({
  conversation,
  user,
  spans,
  version,
});

const deployment = (epoch: string, generation = 1, ...losses: Loss[]): Deployment => ({
  epoch,
  generation,
  partitions: 4,
  inboxShards: 64,
  opened: losses.length === 0,
  losses,
});

const loss = (generation: number, lostSince: number): Loss => ({ epoch: `e${generation}`, generation, lostSince });

const ranges = (blocks: Block[]): string => blocks.map(({ firstSeq, lastSeq }) => `${firstSeq}-${lastSeq}`).join(' ');

/** What the contract in shared/history/store.ts promises, run over every implementation. */
export function historyStoreCases(name: string, makePlace: () => Promise<Place>): void {
  describe(`history store: ${name}`, () => {
    let place: Place;
    let opened: HistoryStore[] = [];
    let store: HistoryStore;

    const open = (): HistoryStore => {
      const another = place.open();
      opened.push(another);
      return another;
    };

    beforeEach(async () => {
      place = await makePlace();
      store = open();
    });

    afterEach(async () => {
      await Promise.all(opened.map((one) => one.close()));
      opened = [];
      await place.remove();
    });

    describe('packed', () => {
      const packed = (of: Block): Block => ({ ...of, format: 2 });

      test('texts come back byte for byte', async () => {
        const odd = packed({
          ...block('c', 1, 4),
          texts: ['{"body":"\u2028\ud83d\ude00"}', '""', `"${'x'.repeat(100_000)}"`, '"\\ud800"'],
        });
        const many = packed(block('c', 5, 1004));
        expect(await store.write(write({ blocks: [odd, many, block('c', 1005, 1005)] }))).toEqual([
          'stored',
          'stored',
          'stored',
        ]);
        expect(await store.blocks('c', 1, 1005, 'oldest', 9)).toEqual([odd, many, block('c', 1005, 1005)]);
        expect(await store.newestBlock('c')).toEqual(block('c', 1005, 1005));
        expect(await store.write(write({ blocks: [many] }))).toEqual(['taken']);
      });
    });

    describe('merging', () => {
      const singles = [block('c', 1, 1), block('c', 2, 2), block('c', 3, 5), block('c', 6, 6)];
      const merged: Block = { ...block('c', 1, 5), format: 2 };
      const places = singles
        .slice(0, 3)
        .map(({ conversation, firstSeq, lastSeq }) => ({ conversation, firstSeq, lastSeq }));
      beforeEach(async () => void (await store.write(write({ blocks: singles }))));

      test('puts one block into the place of several', async () => {
        expect(await store.replaceBlocks(places, merged)).toBe(true);
        expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual([merged, block('c', 6, 6)]);
        expect(await open().newestBlock('c')).toEqual(block('c', 6, 6));
      });

      test('what does not hold all of them is refused, and nothing is lost', async () => {
        for (const wrong of [
          { ...block('c', 1, 4), format: 2 },
          { ...block('c', 2, 5), format: 2 },
          { ...merged, conversation: 'd' },
        ]) {
          await expect(store.replaceBlocks(places, wrong)).rejects.toThrow('not a merger');
        }
        expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual(singles);
      });

      test('twice, also at once, is once', async () => {
        const answers = await Promise.all([store.replaceBlocks(places, merged), open().replaceBlocks(places, merged)]);
        expect(answers.filter(Boolean)).toHaveLength(1);
        expect(await store.replaceBlocks(places, merged)).toBe(false);
        expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual([merged, block('c', 6, 6)]);
      });

      test('does nothing where the first block has become another', async () => {
        expect(await store.replaceBlocks([{ conversation: 'c', firstSeq: 1, lastSeq: 2 }, places[2]!], merged)).toBe(
          false,
        );
        expect(
          await store.replaceBlocks([{ conversation: 'd', firstSeq: 1, lastSeq: 1 }], { ...merged, conversation: 'd' }),
        ).toBe(false);
        expect(places.length).toBe(3);
        expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual(singles);
      });

      test('what a stopped merge left is removed by its repetition', async () => {
        await store.replaceBlocks(places.slice(0, 1), merged);
        expect((await store.blocks('c', 1, 9, 'oldest', 9)).length).toBe(4);
        const whole = { conversation: 'c', firstSeq: 1, lastSeq: 5 };
        expect(await store.replaceBlocks([whole, ...places.slice(1)], merged)).toBe(true);
        expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual([merged, block('c', 6, 6)]);
      });

      test('the place of a merged block is taken', async () => {
        await store.replaceBlocks(places, merged);
        expect(await store.write(write({ blocks: [block('c', 1, 1)] }))).toEqual(['taken']);
        expect(await store.write(write({ blocks: [block('c', 7, 7)] }))).toEqual(['stored']);
        expect((await store.newestBlock('c'))?.lastSeq).toBe(7);
      });
    });

    describe('retention', () => {
      /** Removes, where no conversation has days of its own, as many as it looks at. */
      const expired = async (before: number, limit: number): Promise<number> => {
        const { looked, removed } = await store.expireBlocks(before, limit);
        expect(removed).toBe(looked);
        return removed;
      };
      beforeEach(async () => {
        await store.write(
          write({
            conversations: [group('c')],
            blocks: [block('c', 1, 2), { ...block('c', 3, 4), format: 2 }, block('c', 5, 6), block('d', 1, 3)],
          }),
        );
      });

      test('removes blocks that ended before, oldest first, so many a call', async () => {
        expect(await store.keptFrom('c')).toBe(1);
        expect(await expired(4001, 1)).toBe(1);
        expect(await store.keptFrom('c')).toBe(3);
        expect(await expired(4001, 9)).toBe(2);
        expect(await expired(4001, 9)).toBe(0);
        expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual([block('c', 5, 6)]);
        expect(await store.keptFrom('c')).toBe(5);
      });

      test('the newest block of a conversation stays as a stub, so that its seqs are never given again', async () => {
        while ((await expired(100_000, 2)) > 0);
        const stub = { conversation: 'c', firstSeq: 5, lastSeq: 6, firstAt: 0, lastAt: 0, format: 3, texts: [] };
        expect(await store.newestBlock('c')).toEqual(stub);
        expect((await store.conversation('c'))?.lastSeq).toBe(6);
        expect(await store.keptFrom('c')).toBe(7);
        expect(await store.blocks('d', 1, 9, 'oldest', 9)).toMatchObject([{ firstSeq: 1, lastSeq: 3, texts: [] }]);
        expect(await store.changedSince(1, 9)).toEqual({ conversations: [], until: null });
        expect(await store.write(write({ blocks: [block('c', 7, 7), block('c', 5, 5)] }))).toEqual(['stored', 'taken']);
        expect(await store.blocks('c', 1, 9, 'newest', 9)).toEqual([block('c', 7, 7), stub]);
        expect(await store.keptFrom('c')).toBe(7);
      });

      test('a stub goes when what came after it goes', async () => {
        await store.expireBlocks(100_000, 9);
        await store.write(write({ blocks: [block('c', 7, 7), block('c', 8, 9), block('c', 10, 10)] }));
        await store.expireBlocks(9001, 9);
        expect(ranges(await store.blocks('c', 1, 99, 'oldest', 9))).toBe('10-10');
        expect(await store.keptFrom('c')).toBe(10);
        await store.expireBlocks(100_000, 9);
        expect(ranges(await store.blocks('c', 1, 99, 'oldest', 9))).toBe('10-10');
        expect(await store.keptFrom('c')).toBe(11);
      });

      test('where blocks overlap the one that ends last stays, whatever goes first', async () => {
        // As two archives that write at the same time may leave them; the times do not rise with the seqs.
        const long = { ...block('e', 1, 60), lastAt: 45_000 };
        await store.write(
          write({
            conversations: [group('e')],
            blocks: [long, block('e', 42, 42), block('e', 43, 50), block('e', 55, 60)],
          }),
        );
        while ((await expired(100_000, 1)) > 0) expect((await store.conversation('e'))?.lastSeq).toBe(60);
        expect(ranges(await store.blocks('e', 1, 99, 'oldest', 9))).toBe('1-60');
        expect(await store.newestBlock('e')).toMatchObject({ firstSeq: 1, lastSeq: 60, format: 3, texts: [] });
      });

      test('a half-done merge keeps the merged block, not what it is about to remove', async () => {
        const singles = [block('e', 1, 1), block('e', 2, 2), block('e', 3, 5)];
        await store.write(write({ conversations: [group('e')], blocks: singles }));
        expect(await store.replaceBlocks([singles[0]!], { ...block('e', 1, 5), format: 2 })).toBe(true);
        expect(ranges(await store.blocks('e', 1, 9, 'oldest', 9))).toBe('1-5 2-2 3-5');
        await store.expireBlocks(100_000, 99);
        expect(await store.blocks('e', 1, 9, 'oldest', 9)).toMatchObject([{ firstSeq: 1, lastSeq: 5, format: 3 }]);
      });

      test('a block that was written below the end of a stub goes without it', async () => {
        await store.expireBlocks(100_000, 9);
        // As the replay of a dead letter writes it.
        expect(await store.write(write({ blocks: [block('c', 6, 6), block('d', 2, 2)] }))).toEqual([
          'stored',
          'stored',
        ]);
        expect(await expired(100_000, 9)).toBe(2);
        expect(ranges(await store.blocks('c', 1, 9, 'oldest', 9))).toBe('5-6');
        expect(await store.newestBlock('d')).toMatchObject({ firstSeq: 1, lastSeq: 3, format: 3 });
      });

      test('a merge that read a block before it became a stub does not bring its texts back', async () => {
        const read = [block('c', 5, 6), block('c', 7, 7)];
        await store.write(write({ blocks: [read[1]!] }));
        await store.expireBlocks(6001, 9);
        await store.write(write({ blocks: [block('d', 4, 4)] }));
        expect(await store.replaceBlocks(read, { ...block('c', 5, 7), format: 2 })).toBe(false);
        expect(
          await store.replaceBlocks([block('d', 1, 3), block('d', 4, 4)], { ...block('d', 1, 4), format: 2 }),
        ).toBe(false);
        expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual([read[1]]);
        expect(await store.blocks('d', 1, 9, 'oldest', 9)).toMatchObject([
          { lastSeq: 3, texts: [] },
          { firstSeq: 4, lastSeq: 4 },
        ]);
      });

      test('what is merged and expired at the same time keeps its end, and is whole or gone', async () => {
        for (let round = 0; round < 12; round++) {
          const raced = `race-${round}`;
          const singles = Array.from({ length: 6 }, (_, index) => block(raced, index + 1, index + 1));
          await store.write(write({ conversations: [group(raced)], blocks: singles }));
          const merge = { ...block(raced, 1, 6), format: 2 };
          const other = open();
          await Promise.all([
            store.replaceBlocks(singles, merge),
            other.expireBlocks(100_000, 99),
            open().replaceBlocks(singles, merge),
          ]);
          await other.close();
          expect((await store.conversation(raced))?.lastSeq).toBe(6);
          while ((await expired(100_000, 99)) > 0);
          expect(await store.newestBlock(raced)).toMatchObject({ lastSeq: 6, format: 3, texts: [] });
        }
      });

      describe('of conversations with days of their own', () => {
        const withDays = (id: string, historyDays: number | null, version: number): ConversationInfo => ({
          ...group(id, version),
          historyDays,
        });
        const set = (...conversations: ConversationInfo[]) => store.write(write({ conversations }));
        const rest = async (conversation: string): Promise<string> =>
          ranges(await store.blocks(conversation, 1, 99, 'oldest', 99));

        test('leaves alone what they keep, and looks at it once', async () => {
          await set(withDays('c', 400, 2));
          // Oldest first: c 1-2, d 1-3, c 3-4, c 5-6.
          expect(await store.expireBlocks(100_000, 1)).toEqual({ looked: 1, removed: 0 });
          expect(await store.expireBlocks(100_000, 1)).toEqual({ looked: 1, removed: 1 });
          while ((await store.expireBlocks(100_000, 1)).looked > 0);
          expect(await store.blocks('c', 1, 99, 'oldest', 9)).toEqual([
            block('c', 1, 2),
            { ...block('c', 3, 4), format: 2 },
            block('c', 5, 6),
          ]);
          expect(await store.keptFrom('c')).toBe(1);
          expect(await rest('d')).toBe('1-3');
          expect(await store.newestBlock('d')).toMatchObject({ format: 3 });
          // What is written later is looked at too, and nothing else: c 7-7 and d 4-4.
          await store.write(write({ blocks: [block('c', 7, 7), block('d', 4, 4)] }));
          expect(await store.expireBlocks(100_000, 9)).toEqual({ looked: 2, removed: 1 });
          expect(await open().expireBlocks(100_000, 9)).toEqual({ looked: 0, removed: 0 });
        });

        test('what is kept for ever or longer is found by its time like everything else', async () => {
          await set(withDays('c', 0, 2));
          await store.expireBlocks(4001, 9);
          expect(await store.changedSince(2000, 9)).toEqual({ conversations: ['c'], until: 6000 });
          expect(await store.changedSince(2000, 2)).toEqual({ conversations: ['c'], until: 4000 });
          expect(await store.blocksAround(3500, 9)).toEqual([{ conversation: 'c', firstSeq: 3, lastSeq: 4 }]);
          expect(await store.blocksSince('c', 3000, 0, 9)).toHaveLength(2);
        });

        test('removes of one what is older than its days, the oldest first', async () => {
          await set(withDays('c', 3, 2));
          expect(await store.expireBlocksOf('c', 2000, 9)).toBe(0);
          expect(await store.expireBlocksOf('c', 6001, 1)).toBe(1);
          expect(await rest('c')).toBe('3-4 5-6');
          expect(await store.expireBlocksOf('c', 4001, 9)).toBe(1);
          expect(await store.expireBlocksOf('c', 4001, 9)).toBe(0);
          expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual([block('c', 5, 6)]);
          expect(await rest('d')).toBe('1-3');
        });

        test('what was set apart goes too; the newest becomes a stub, which goes last', async () => {
          await set(withDays('c', 400, 2));
          await store.expireBlocks(100_000, 9);
          expect(await store.expireBlocksOf('c', 100_000, 9)).toBe(3);
          expect(await store.newestBlock('c')).toMatchObject({ firstSeq: 5, lastSeq: 6, format: 3, texts: [] });
          expect((await store.conversation('c'))?.lastSeq).toBe(6);
          await store.write(write({ blocks: [block('c', 7, 7), block('c', 8, 8)] }));
          expect(await store.expireBlocksOf('c', 7001, 9)).toBe(1);
          expect(await rest('c')).toBe('8-8');
          expect(await store.keptFrom('c')).toBe(8);
        });

        test('one that has no days any more is like the others again', async () => {
          await set(withDays('c', 400, 2));
          expect(await store.expireBlocks(100_000, 9)).toEqual({ looked: 4, removed: 1 });
          // A row that is older changes nothing, also not here: the next call finds out.
          await set(withDays('c', null, 2));
          await store.expireBlocks(100_000, 9);
          expect(await rest('c')).toBe('1-2 3-4 5-6');
          await set(withDays('c', null, 3));
          expect(await store.expireBlocks(100_000, 9)).toEqual({ looked: 3, removed: 3 });
          expect(await store.newestBlock('c')).toMatchObject({ firstSeq: 5, lastSeq: 6, format: 3, texts: [] });
        });

        test('what was set apart is merged as before, and kept as before', async () => {
          await set(withDays('c', 0, 2));
          await store.expireBlocks(100_000, 9);
          const places = [block('c', 1, 2), block('c', 3, 4), block('c', 5, 6)];
          const merged = { ...block('c', 1, 6), format: 2 };
          expect(await store.replaceBlocks(places, merged)).toBe(true);
          while ((await store.expireBlocks(100_000, 9)).looked > 0);
          expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual([merged]);
        });

        test('they are listed by their days and then by id, without those that keep everything', async () => {
          await set(
            withDays('c', null, 2),
            withDays('e', 30, 2),
            withDays('B', 30, 2),
            withDays('a', 0, 2),
            withDays('f', 7, 2),
            withDays('g', 1, 2),
          );
          const all = [
            [1, 'g'],
            [7, 'f'],
            [30, 'B'],
            [30, 'e'],
          ].map(([historyDays, conversation]) => ({ historyDays, conversation }));
          expect(await store.ownDays({ historyDays: 1, conversation: '' }, 9)).toEqual(all);
          const found: unknown[] = [];
          for (let after = { historyDays: 1, conversation: '' }; ;) {
            const [next] = await store.ownDays(after, 1);
            if (next === undefined) break;
            found.push(next);
            after = next;
          }
          expect(found).toEqual(all);
          await set(withDays('f', null, 3), withDays('e', 5, 3), withDays('B', 9, 1));
          expect(await store.ownDays({ historyDays: 1, conversation: '' }, 9)).toEqual([
            { historyDays: 1, conversation: 'g' },
            { historyDays: 5, conversation: 'e' },
            { historyDays: 30, conversation: 'B' },
          ]);
          expect((await store.conversation('e'))?.info).toEqual(withDays('e', 5, 3));
          expect((await store.conversation('a'))?.info.historyDays).toBe(0);
          expect((await store.conversation('f'))?.info.historyDays).toBeNull();
        });
      });

      test('a conversation of which nothing is stored is kept from its first seq on', async () => {
        expect(await store.keptFrom('nowhere')).toBe(1);
      });
    });

    describe('cold blocks', () => {
      const blocks = [block('c', 1, 2), { ...block('c', 3, 4), format: 2 }, block('c', 5, 6), block('d', 1, 3)];
      const placeOf = ({ conversation, firstSeq, lastSeq }: Block) => ({ conversation, firstSeq, lastSeq });
      /** How a block is read once it is cold: its texts are known only where there is a cold store. */
      const cold = (of: Block): Block => ({ ...of, format: 4, texts: place.put ? of.texts : [] });
      const cool = async (of: Block): Promise<boolean> => {
        await place.put?.(of);
        return store.makeCold(placeOf(of));
      };
      beforeEach(async () => void (await store.write(write({ conversations: [group('c')], blocks }))));

      test('warm ones are found by their end, so many looked at a call', async () => {
        expect(await store.warmBlocks(1, 6000, 9)).toEqual({
          ranges: [placeOf(blocks[0]!), placeOf(blocks[3]!), placeOf(blocks[1]!)],
          until: 4000,
        });
        expect(await store.warmBlocks(1, 6001, 2)).toEqual({
          ranges: [placeOf(blocks[0]!), placeOf(blocks[3]!)],
          until: 3000,
        });
        expect(await store.warmBlocks(3001, 6001, 2)).toEqual({
          ranges: [placeOf(blocks[1]!), placeOf(blocks[2]!)],
          until: 6000,
        });
        expect(await store.warmBlocks(6001, 100_000, 2)).toEqual({ ranges: [], until: null });
        await cool(blocks[0]!);
        expect(await store.warmBlocks(1, 2001, 9)).toEqual({ ranges: [], until: 2000 });
      });

      test('a block becomes cold once, and keeps its place and times', async () => {
        for (const one of blocks.slice(0, 3)) expect(await cool(one)).toBe(true);
        expect(await open().makeCold(placeOf(blocks[0]!))).toBe(false);
        expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual(blocks.slice(0, 3).map(cold));
        expect(await open().newestBlock('c')).toEqual(cold(blocks[2]!));
        expect(await store.blocksSince('c', 4000, 1, 9)).toEqual(blocks.slice(1, 3).map(cold));
        expect(await store.blocks('d', 1, 9, 'oldest', 9)).toEqual([blocks[3]]);
        expect([await store.formatOf(placeOf(blocks[1]!)), await store.formatOf(placeOf(blocks[3]!))]).toEqual([4, 1]);
        expect((await store.conversation('c'))?.lastSeq).toBe(6);
        expect(await store.keptFrom('c')).toBe(1);
        expect(await store.write(write({ blocks: [blocks[0]!, block('c', 7, 7)] }))).toEqual(['taken', 'stored']);
      });

      test('only the one that was read: another range, a stub and nothing are left alone', async () => {
        expect(await store.makeCold({ conversation: 'c', firstSeq: 1, lastSeq: 1 })).toBe(false);
        expect(await store.makeCold({ conversation: 'x', firstSeq: 1, lastSeq: 2 })).toBe(false);
        expect(await store.formatOf({ conversation: 'c', firstSeq: 1, lastSeq: 1 })).toBeNull();
        await store.expireBlocks(3001, 9);
        expect(await store.makeCold(placeOf(blocks[3]!))).toBe(false);
        expect(await store.formatOf(placeOf(blocks[3]!))).toBe(3);
        expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual(blocks.slice(1, 3));
      });

      test('retention removes them as others, and the newest becomes a stub', async () => {
        for (const one of blocks) await cool(one);
        expect(await store.expireBlocks(100_000, 9)).toEqual({ looked: 4, removed: 4 });
        expect(await store.ranges('c', 1, 9)).toEqual([placeOf(blocks[2]!)]);
        expect(await store.formatOf(placeOf(blocks[2]!))).toBe(3);
        expect((await store.conversation('c'))?.lastSeq).toBe(6);
        expect(await store.newestBlock('d')).toMatchObject({ firstSeq: 1, lastSeq: 3, format: 3, texts: [] });
      });

      test('a merge that read its first block before it became cold changes nothing; its others may have', async () => {
        const merged = { ...block('c', 1, 6), format: 2 };
        await cool(blocks[0]!);
        expect(await store.replaceBlocks(blocks.slice(0, 3).map(placeOf), merged)).toBe(false);
        expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual([cold(blocks[0]!), blocks[1], blocks[2]]);
        await cool(blocks[2]!);
        expect(await store.replaceBlocks(blocks.slice(1, 3).map(placeOf), { ...block('c', 3, 6), format: 2 })).toBe(
          true,
        );
        expect(await store.blocks('c', 1, 9, 'oldest', 9)).toEqual([
          cold(blocks[0]!),
          { ...block('c', 3, 6), format: 2 },
        ]);
      });

      test('cooled, merged and expired at the same time, every seq is whole or gone', async () => {
        for (let round = 0; round < 12; round++) {
          const raced = `race-${round}`;
          const singles = Array.from({ length: 6 }, (_, index) => block(raced, index + 1, index + 1));
          await store.write(write({ conversations: [group(raced)], blocks: singles }));
          const merge = { ...block(raced, 1, 6), format: 2 };
          await place.put?.(merge);
          const others = [open(), open()];
          await Promise.all([
            store.replaceBlocks(singles, merge),
            ...singles.map(cool),
            others[0]!.makeCold(merge),
            others[1]!.expireBlocks(3001, 99),
          ]);
          const found = await store.blocks(raced, 1, 6, 'oldest', 99);
          for (const seq of [4, 5, 6]) {
            const holding = found.filter(({ firstSeq, lastSeq }) => firstSeq <= seq && seq <= lastSeq);
            expect(holding.length).toBeGreaterThan(0);
            if (place.put)
              expect(holding.some(({ firstSeq, texts }) => texts[seq - firstSeq] === text(raced, seq))).toBe(true);
          }
          await Promise.all(others.map((one) => one.close()));
        }
      });
    });

    describe('writing', () => {
      test('a new store is empty', async () => {
        expect(await store.newestBlock('c')).toBeNull();
        expect(await store.blocks('c', 1, 100, 'oldest', 10)).toEqual([]);
        expect(await store.blocksSince('c', 0, 0, 10)).toEqual([]);
        expect(await store.blocksAround(1000, 10)).toEqual([]);
        expect(await store.conversation('c')).toBeNull();
        expect(await store.conversationsOf('bob', '', 10)).toEqual([]);
        expect(await store.progress()).toEqual([]);
        expect(await store.deployment()).toBeNull();
        expect(await store.write(write({}))).toEqual([]);
        await store.ping();
      });

      test('what was written is there after closing and opening again', async () => {
        const all = write({
          progress: { partition: 3, streamId: '1732000000000-7', completeAt: 1_732_000_000_000 },
          conversations: [group('c')],
          members: [member('c', 'bob')],
          skips: [{ conversation: 'c', fromSeq: 3, toSeq: 9 }],
          blocks: [block('c', 1, 2)],
        });
        expect(await store.write(all)).toEqual(['stored']);
        await store.close();

        const again = open();
        expect(await again.newestBlock('c')).toEqual(block('c', 1, 2));
        expect(await again.conversation('c')).toEqual({
          info: group('c'),
          members: [member('c', 'bob')],
          skips: [{ conversation: 'c', fromSeq: 3, toSeq: 9 }],
          recorded: [{ conversation: 'c', fromSeq: 3, toSeq: 9 }],
          lastSeq: 9,
        });
        expect(await again.progress()).toEqual([all.progress]);
      });

      test('every write can be repeated', async () => {
        const all = write({
          progress: { partition: 0, streamId: '5-0', completeAt: 5 },
          conversations: [group('c', 2)],
          members: [member('c', 'bob', 2)],
          skips: [{ conversation: 'c', fromSeq: 5, toSeq: 6 }],
          blocks: [block('c', 1, 2), block('c', 3, 4)],
        });
        expect(await store.write(all)).toEqual(['stored', 'stored']);
        const before = await store.conversation('c');
        expect(await store.write(all)).toEqual(['taken', 'taken']);
        expect(await store.conversation('c')).toEqual(before);
        expect(await store.blocks('c', 1, 10, 'oldest', 10)).toEqual(all.blocks);
      });

      test('a block whose place is taken is not replaced', async () => {
        await store.write(write({ blocks: [block('c', 1, 1, 'first')] }));
        expect(await store.write(write({ blocks: [block('c', 1, 2, 'second')] }))).toEqual(['taken']);
        expect(await store.blocks('c', 1, 10, 'oldest', 10)).toEqual([block('c', 1, 1, 'first')]);
      });

      test('blocks of one call are independent, outcomes come in the order given', async () => {
        await store.write(write({ blocks: [block('b', 5, 6), block('c', 1, 1)] }));
        const blocks = [block('c', 2, 2), block('c', 1, 1), block('a', 1, 1), block('b', 5, 6), block('b', 7, 7)];
        expect(await store.write(write({ blocks }))).toEqual(['stored', 'taken', 'stored', 'taken', 'stored']);
        expect(ranges(await store.blocks('c', 1, 9, 'oldest', 9))).toBe('1-1 2-2');
        expect(ranges(await store.blocks('b', 1, 9, 'oldest', 9))).toBe('5-6 7-7');
      });

      test('of two blocks with one place in one call the first is stored', async () => {
        const blocks = [block('c', 1, 1, 'first'), block('c', 1, 1, 'second')];
        expect(await store.write(write({ blocks }))).toEqual(['stored', 'taken']);
        expect(await store.newestBlock('c')).toEqual(blocks[0]);
      });

      test('the same seqs in another conversation are another place', async () => {
        expect(await store.write(write({ blocks: [block('c', 1, 1), block('C', 1, 1), block('c1', 1, 1)] }))).toEqual([
          'stored',
          'stored',
          'stored',
        ]);
        expect(await store.newestBlock('C')).toEqual(block('C', 1, 1));
      });

      test('many blocks in one call', async () => {
        const blocks = Array.from({ length: 300 }, (_, index) => block(`c${index % 7}`, index + 1, index + 1));
        expect(await store.write(write({ blocks: blocks.filter((_, index) => index % 3 === 0) }))).toHaveLength(100);
        const outcomes = await store.write(write({ blocks }));
        expect(outcomes).toEqual(blocks.map((_, index) => (index % 3 === 0 ? 'taken' : 'stored')));
      });

      test('a block that does not add up is refused, and nothing of its call is written', async () => {
        const good = block('c', 1, 2);
        const bad: Block[] = [
          { ...good, texts: ['1'] },
          { ...good, texts: ['1', '2\n3'] },
          { ...good, format: 9 },
          { ...good, firstSeq: 0, lastSeq: 1 },
          { ...good, lastSeq: 0, texts: [] },
          block('c', 1, 1001),
        ];
        for (const one of bad) {
          const refused = store.write(write({ members: [member('c', 'bob')], blocks: [block('d', 1, 1), one] }));
          await expect(refused, `${one.firstSeq}-${one.lastSeq} ${one.format} ${one.texts.length}`).rejects.toThrow(
            'block c',
          );
        }
        expect(await store.conversationsOf('bob', '', 10)).toEqual([]);
        expect(await store.newestBlock('d')).toBeNull();
      });
    });

    describe('texts', () => {
      test('come back byte for byte', async () => {
        const bodies: unknown[] = [
          'plain',
          '',
          '😀 👩‍👩‍👧‍👦 é e\u0301 漢字 \u{10FFFF}',
          'line \u2028 and paragraph \u2029 ends, \n \r\n \t',
          'nul \u0000 and \u001f, \ufeff, \ufffe, \uffff',
          'lone \ud800 and \udc00',
          { 'a.b': 1, $where: 2, '': 3, 'c\u0000d': 4 },
          JSON.parse('{"__proto__":{"polluted":true},"constructor":1}'),
          [[[1, [2, [3]]]], [], {}],
          [1e21, 5e-324, -0, 2 ** 53, 0.1, 1e300],
          null,
          "'; DROP TABLE blocks; --",
        ];
        const texts = bodies.map((body, index) => JSON.stringify({ seq: index + 1, body }));
        // JSON that JSON.stringify would write in another way: spaces, the order of number-like keys, long numbers.
        texts.push(
          '{"b":1, "a" : 2,"10":0,"9":0}',
          '{"n":1.0,"m":12345678901234567890,"e":1E2}',
          '{"u":"\\u00e9\\/"}',
          '',
        );
        const full: Block = { ...block('c', 1, texts.length), texts };
        expect(await store.write(write({ blocks: [full] }))).toEqual(['stored']);
        const back = (await open().newestBlock('c'))?.texts ?? [];
        expect(back.map((one) => Buffer.from(one).toString('hex'))).toEqual(
          texts.map((one) => Buffer.from(one).toString('hex')),
        );
      });

      test('a block of one empty text has one text', async () => {
        const empty = { ...block('c', 1, 1), texts: [''] };
        await store.write(write({ blocks: [empty] }));
        expect(await store.newestBlock('c')).toEqual(empty);
      });

      test('a large block', async () => {
        const large = {
          ...block('c', 1, 200),
          texts: Array.from({ length: 200 }, (_, n) => `"${String(n).padEnd(16_000, 'x')}"`),
        };
        await store.write(write({ blocks: [large] }));
        expect(await store.newestBlock('c')).toEqual(large);
      });

      test('numbers up to the largest safe integer', async () => {
        const last = Number.MAX_SAFE_INTEGER;
        const high = { ...block('c', last - 1, last), firstAt: 8_640_000_000_000_000, lastAt: 8_640_000_000_000_000 };
        const skip = { conversation: 'c', fromSeq: 2 ** 31, toSeq: last - 2 };
        const spans = [{ joined: 2 ** 32, left: last }];
        await store.write(
          write({
            conversations: [group('c', last)],
            members: [member('c', 'bob', last, spans)],
            skips: [skip],
            blocks: [high],
          }),
        );
        expect(await store.blocks('c', last, last, 'oldest', 1)).toEqual([high]);
        expect(await store.conversation('c')).toEqual({
          info: group('c', last),
          members: [member('c', 'bob', last, spans)],
          skips: [skip],
          recorded: [skip],
          lastSeq: last,
        });
      });
    });

    describe('reading a range', () => {
      beforeEach(async () => {
        await store.write(
          write({
            blocks: [block('c', 11, 20), block('c', 1, 10), block('c', 31, 31), block('c', 21, 30), block('d', 1, 50)],
          }),
        );
      });

      test.each([
        [1, 31, '1-10 11-20 21-30 31-31'],
        [10, 11, '1-10 11-20'],
        [11, 11, '11-20'],
        [15, 15, '11-20'],
        [20, 21, '11-20 21-30'],
        [31, 99, '31-31'],
        [32, 99, ''],
        [0, 0, ''],
        [-5, 1, '1-10'],
        [5, 4, '1-10'],
      ])('[%i, %i] is in the blocks %s', async (fromSeq, toSeq, expected) => {
        // An empty range holds no seq; a store may answer the block around it.
        if (fromSeq > toSeq)
          return expect(ranges(await store.blocks('c', fromSeq, toSeq, 'oldest', 9))).toMatch(/^(1-10)?$/);
        expect(ranges(await store.blocks('c', fromSeq, toSeq, 'oldest', 9))).toBe(expected);
        const newest = expected.split(' ').toReversed().join(' ');
        expect(ranges(await store.blocks('c', fromSeq, toSeq, 'newest', 9))).toBe(newest);
      });

      test('the limit keeps the first of the order', async () => {
        expect(ranges(await store.blocks('c', 5, 31, 'oldest', 2))).toBe('1-10 11-20');
        expect(ranges(await store.blocks('c', 5, 31, 'newest', 2))).toBe('31-31 21-30');
        expect(ranges(await store.blocks('c', 5, 25, 'newest', 1))).toBe('21-30');
        expect(await store.blocks('c', 5, 25, 'newest', 0)).toEqual([]);
      });

      test('the longest block is found from its last seq', async () => {
        await store.write(write({ blocks: [block('e', 2, 1001), block('e', 1002, 1002)] }));
        expect(ranges(await store.blocks('e', 1001, 1001, 'oldest', 9))).toBe('2-1001');
        expect(ranges(await store.blocks('e', 1001, 2000, 'newest', 9))).toBe('1002-1002 2-1001');
        expect(await store.blocks('e', 1, 1, 'oldest', 9)).toEqual([]);
      });

      test('overlapping blocks are all given', async () => {
        // As two archives that write at the same time may leave them.
        await store.write(
          write({
            blocks: [
              block('c', 41, 60),
              block('c', 42, 42),
              block('c', 43, 50),
              block('c', 58, 60),
              block('c', 61, 61),
            ],
          }),
        );
        expect(ranges(await store.blocks('c', 51, 59, 'oldest', 9))).toBe('41-60 58-60');
        expect(ranges(await store.blocks('c', 45, 61, 'newest', 9))).toBe('61-61 58-60 43-50 41-60');
      });
    });

    test('the newest block is the one with the highest last seq, also where blocks overlap', async () => {
      await store.write(
        write({ conversations: [group('c')], blocks: [block('c', 1, 60), block('c', 42, 42), block('d', 1, 99)] }),
      );
      expect(await store.newestBlock('c')).toEqual(block('c', 1, 60));
      expect((await store.conversation('c'))?.lastSeq).toBe(60);
      await store.write(write({ blocks: [block('c', 61, 61)] }));
      expect(await store.newestBlock('c')).toEqual(block('c', 61, 61));
    });

    test('changes since a moment, and where blocks lie', async () => {
      await store.write(write({ blocks: [block('a', 1, 2), block('a', 3, 5), block('b', 4, 4), block('c', 9, 9)] }));
      expect(await store.changedSince(2000, 9)).toEqual({ conversations: ['a', 'b', 'c'], until: 9000 });
      expect(await store.changedSince(2001, 2)).toEqual({ conversations: ['b', 'a'], until: 5000 });
      expect(await store.changedSince(9001, 2)).toEqual({ conversations: [], until: null });
      const lie = async (fromSeq: number, limit: number) =>
        (await store.ranges('a', fromSeq, limit)).map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq]);
      expect(await lie(1, 9)).toEqual([
        [1, 2],
        [3, 5],
      ]);
      expect(await lie(1, 1)).toEqual([[1, 2]]);
      expect(await lie(2, 9)).toEqual([[3, 5]]);
    });

    test('blocks around a moment, of every conversation, those that end soonest first', async () => {
      await store.write(
        write({ blocks: [block('a', 1, 9), block('b', 5, 6), block('c', 1, 4), block('c', 5, 5), block('d', 6, 20)] }),
      );
      const around = async (at: number, limit = 9) =>
        (await store.blocksAround(at, limit)).map(
          ({ conversation, firstSeq, lastSeq }) => `${conversation} ${firstSeq}-${lastSeq}`,
        );
      expect(await around(5000)).toEqual(['c 5-5', 'b 5-6', 'a 1-9']);
      expect(await around(6000, 2)).toEqual(['b 5-6', 'a 1-9']);
      expect(await around(21_000)).toEqual([]);
      // Looked at are the blocks of c and b first, of which only one encloses the moment.
      expect(await around(2000, 3)).toEqual(['c 1-4']);
      expect(await around(2000, 4)).toEqual(['c 1-4', 'a 1-9']);
    });

    test('blocks since a moment, in pages', async () => {
      const blocks = [1, 3, 5, 7, 9].map((first) => block('c', first, first + 1));
      await store.write(write({ blocks: [...blocks.toReversed(), block('d', 1, 20)] }));
      expect(ranges(await store.blocksSince('c', 6000, 0, 9))).toBe('5-6 7-8 9-10');
      expect(ranges(await store.blocksSince('c', 6001, 0, 9))).toBe('7-8 9-10');
      expect(ranges(await store.blocksSince('c', 0, 0, 2))).toBe('1-2 3-4');
      expect(ranges(await store.blocksSince('c', 0, 3, 2))).toBe('5-6 7-8');
      expect(ranges(await store.blocksSince('c', 6000, 7, 9))).toBe('9-10');
      expect(await store.blocksSince('c', 10_001, 0, 9)).toEqual([]);
    });

    test('blocks since a moment are all given when the clock of a later one was behind', async () => {
      const late = { ...block('c', 3, 4), firstAt: 1500, lastAt: 1600 };
      await store.write(write({ blocks: [block('c', 1, 2), late, block('c', 5, 6)] }));
      expect(ranges(await store.blocksSince('c', 1800, 0, 9))).toBe('1-2 5-6');
    });

    describe('rows with a version', () => {
      test('conversations only move forward', async () => {
        await store.write(write({ conversations: [group('c', 5, 'five 😀 "quoted"')] }));
        await store.write(write({ conversations: [group('c', 4, 'four')] }));
        await store.write(write({ conversations: [group('c', 5, 'another five')] }));
        expect((await store.conversation('c'))?.info).toEqual(group('c', 5, 'five 😀 "quoted"'));
        await store.write(write({ conversations: [group('c', 6, null)] }));
        expect((await store.conversation('c'))?.info).toEqual(group('c', 6, null));
      });

      test('members only move forward', async () => {
        const joined = member('c', 'bob', 5);
        const left = member('c', 'bob', 7, [
          { joined: 0, left: 5 },
          { joined: 9, left: null },
        ]);
        await store.write(write({ members: [joined] }));
        await store.write(write({ members: [left] }));
        await store.write(write({ members: [joined, member('c', 'bob', 7)] }));
        expect(await store.conversationsOf('bob', '', 9)).toEqual([{ member: left, lastSeq: 0, skips: [] }]);
      });

      test.each([
        ['rising', [1, 2, 3]],
        ['falling', [3, 2, 1]],
        ['mixed', [2, 3, 1]],
      ])('the newest of one call holds, whatever the order: %s', async (_, versions) => {
        await store.write(
          write({
            conversations: versions.map((version) => group('c', version, `${version}`)),
            members: versions.map((version) => member('c', 'bob', version, [{ joined: version, left: null }])),
          }),
        );
        expect(await store.conversation('c')).toEqual({
          info: group('c', 3, '3'),
          members: [member('c', 'bob', 3, [{ joined: 3, left: null }])],
          skips: [],
          recorded: [],
          lastSeq: 0,
        });
      });

      test('a row without spans keeps its version', async () => {
        await store.write(write({ members: [member('c', 'bob', 3, [])] }));
        await store.write(write({ members: [member('c', 'bob', 2)] }));
        expect(await store.conversationsOf('bob', '', 9)).toEqual([
          { member: member('c', 'bob', 3, []), lastSeq: 0, skips: [] },
        ]);
      });
    });

    describe('conversations', () => {
      test('a direct conversation with its users', async () => {
        const direct: ConversationInfo = { ...group('d_1'), kind: 'direct', service: true, users: ['alice', 'bob'] };
        const withOneself: ConversationInfo = { ...group('d_2'), kind: 'direct', users: ['bob', 'bob'] };
        await store.write(write({ conversations: [direct, withOneself] }));
        expect((await store.conversation('d_1'))?.info).toEqual(direct);
        expect((await store.conversation('d_2'))?.info).toEqual(withOneself);
      });

      test('the last seq is that of the blocks or of the skips, whichever is higher', async () => {
        const skips: SkipRow[] = [
          { conversation: 'c', fromSeq: 11, toSeq: 1_000_010 },
          { conversation: 'c', fromSeq: 3, toSeq: 4 },
        ];
        await store.write(write({ conversations: [group('c')], blocks: [block('c', 1, 2), block('c', 5, 10)] }));
        expect((await store.conversation('c'))?.lastSeq).toBe(10);
        await store.write(write({ skips }));
        expect(await store.conversation('c')).toMatchObject({ lastSeq: 1_000_010, skips: skips.toReversed() });
        await store.write(write({ blocks: [block('c', 1_000_011, 1_000_011)] }));
        expect((await store.conversation('c'))?.lastSeq).toBe(1_000_011);
      });

      test('a skip that begins where another does keeps the longer range', async () => {
        const skip = (toSeq: number): SkipRow => ({ conversation: 'c', fromSeq: 1, toSeq });
        await store.write(write({ conversations: [group('c')], skips: [skip(5)] }));
        await store.write(write({ skips: [skip(9)] }));
        await store.write(write({ skips: [skip(5)] }));
        expect((await store.conversation('c'))?.skips).toEqual([skip(9)]);
      });

      test('the last seqs of many at once, of those that have any', async () => {
        const skip: SkipRow = { conversation: 'b', fromSeq: 5, toSeq: 9 };
        await store.write(
          write({
            conversations: [group('x')],
            skips: [skip, { ...skip, conversation: 'd' }],
            blocks: [block('a', 1, 3), block('b', 1, 4), block('c', 2, 60), block('c', 42, 42)],
          }),
        );
        expect(await store.lastSeqs(['c', 'x', 'b', 'a', 'nowhere', 'd'])).toEqual(
          new Map([
            ['a', 3],
            ['b', 9],
            ['c', 60],
            ['d', 9],
          ]),
        );
        expect(await store.lastSeqs([])).toEqual(new Map());
        await store.expireBlocks(1_000_000, 99);
        expect(await open().lastSeqs(['c'])).toEqual(new Map([['c', 60]]));
      });

      describe('a skip never covers a seq that a block holds', () => {
        const skip = (fromSeq: number, toSeq: number, conversation = 'c'): SkipRow => ({
          conversation,
          fromSeq,
          toSeq,
        });
        const skips = async (of: HistoryStore, conversation = 'c'): Promise<string> =>
          ((await of.conversation(conversation))?.skips ?? [])
            .map(({ fromSeq, toSeq }) => `${fromSeq}-${toSeq}`)
            .join(' ');
        beforeEach(
          async () =>
            void (await store.write(
              write({ conversations: [group('c'), group('d')], members: [member('c', 'bob'), member('d', 'bob')] }),
            )),
        );

        test('of one that is written only what no block holds is kept', async () => {
          await store.write(
            write({ blocks: [block('c', 1, 3), block('c', 6, 7), block('c', 9, 9), block('d', 4, 5)] }),
          );
          await store.write(write({ skips: [skip(4, 12), skip(2, 2), skip(1, 8, 'd')] }));
          expect(await skips(store)).toBe('4-5 8-8 10-12');
          expect(await skips(store, 'd')).toBe('1-3 6-8');
          expect((await store.conversation('c'))?.recorded).toEqual([skip(4, 5), skip(8, 8), skip(10, 12)]);
          expect((await store.conversation('c'))?.lastSeq).toBe(12);
        });

        test('not in the same call either, and not below the longest block', async () => {
          await store.write(write({ blocks: [block('c', 2, 1001)] }));
          expect(
            await store.write(
              write({ skips: [skip(1, 1), skip(1000, 1005), skip(1001, 1001)], blocks: [block('c', 1003, 1003)] }),
            ),
          ).toEqual(['stored']);
          expect(await skips(store)).toBe('1-1 1002-1002 1004-1005');
        });

        test('what blocks have come to hold since is none any more, whatever its length', async () => {
          await store.write(
            write({ blocks: [block('c', 1, 2)], skips: [skip(3, 10), skip(12, 12), skip(14, 1_000_014)] }),
          );
          expect(await skips(store)).toBe('3-10 12-12 14-1000014');
          await store.write(
            write({ blocks: [block('c', 5, 6), block('c', 12, 12), block('c', 9, 11), block('c', 14, 15)] }),
          );
          expect(await skips(open())).toBe('3-4 7-8 16-1000014');
          const given = (await store.conversationsOf('bob', '', 9)).find(({ member: row }) => row.conversation === 'c');
          expect(given?.skips).toEqual([skip(3, 4), skip(7, 8), skip(16, 1_000_014)]);
          expect((await store.conversation('c'))?.recorded).toEqual([skip(3, 10), skip(12, 12), skip(14, 1_000_014)]);
          expect(given?.lastSeq).toBe(1_000_014);
        });

        test('nor one that a stub holds', async () => {
          await store.write(write({ blocks: [block('c', 1, 4)] }));
          await store.expireBlocks(1_000_000, 9);
          await store.write(write({ skips: [skip(2, 6)] }));
          expect(await skips(store)).toBe('5-6');
        });

        test('however many there are', async () => {
          const many = Array.from({ length: 250 }, (_, index) => skip(2 * index + 1, 2 * index + 1));
          await store.write(write({ skips: many }));
          await store.write(write({ blocks: [block('c', 1, 1), block('c', 101, 301), block('c', 499, 499)] }));
          expect((await store.conversation('c'))?.skips).toEqual(
            many.filter(({ fromSeq }) => fromSeq !== 1 && fromSeq !== 499 && (fromSeq < 101 || fromSeq > 301)),
          );
        });
      });

      test('a conversation of many members', async () => {
        const many = Array.from({ length: 2500 }, (_, index) => member('c', `user-${String(index).padStart(4, '0')}`));
        const progress = { partition: 0, streamId: '1-1', completeAt: 1 };
        await store.write(
          write({ progress, conversations: [group('c')], members: [...many.toReversed(), member('d', 'zoe')] }),
        );
        expect((await store.conversation('c'))?.members).toEqual(many);
        expect(await store.progress()).toEqual([progress]);
      });

      test("a user's conversations in pages, in the order of their ids", async () => {
        const ids = ['B', '_a', 'a', 'a-', 'a1', 'b', 'd_x', '-z', '1'];
        await store.write(
          write({
            members: ids.flatMap((id) => [member(id, 'bob', 1, [{ joined: 0, left: 3 }]), member(id, 'bobby')]),
            blocks: ids.map((id) => block(id, 1, id.length)),
            skips: [{ conversation: 'b', fromSeq: 2, toSeq: 8 }],
          }),
        );
        const expected = ids.toSorted((a, b) => (a < b ? -1 : 1));
        const found: string[] = [];
        for (let after = ''; ; after = found.at(-1) ?? '') {
          const page = await store.conversationsOf('bob', after, 4);
          for (const { member: row, lastSeq, skips } of page) {
            expect(row).toEqual(member(row.conversation, 'bob', 1, [{ joined: 0, left: 3 }]));
            expect(lastSeq).toBe(row.conversation === 'b' ? 8 : row.conversation.length);
            expect(skips).toEqual(row.conversation === 'b' ? [{ conversation: 'b', fromSeq: 2, toSeq: 8 }] : []);
          }
          found.push(...page.map(({ member: row }) => row.conversation));
          if (page.length < 4) break;
        }
        expect(found).toEqual(expected);
        expect(await store.conversationsOf('nobody', '', 4)).toEqual([]);
      });
    });

    test('progress has one row for each partition, the last one written', async () => {
      const progress = (partition: number, ms: number) => ({ partition, streamId: `${ms}-3`, completeAt: ms - 10 });
      await store.write(write({ progress: progress(2, 100) }));
      await store.write(write({ progress: progress(0, 200) }));
      await store.write(write({ progress: progress(2, 300) }));
      expect((await store.progress()).toSorted((a, b) => a.partition - b.partition)).toEqual([
        progress(0, 200),
        progress(2, 300),
      ]);
    });

    test('progress never goes back, whoever writes last', async () => {
      const at = (streamId: string, completeAt: number, partition = 0) => ({ partition, streamId, completeAt });
      await store.write(write({ progress: at('1000-9', 990) }));
      await store.write(write({ progress: at('999-12', 980), blocks: [block('c', 1, 1)] }));
      await open().write(write({ progress: at('1000-3', 970) }));
      expect(await store.progress()).toEqual([at('1000-9', 990)]);
      await store.write(write({ progress: at('1000-10', 900) }));
      await store.write(write({ progress: at('900-10', 995), blocks: [block('c', 2, 2)] }));
      expect(await store.progress()).toEqual([at('1000-10', 995)]);
      await store.write(write({ progress: at('1000-11', 996) }));
      await store.write(write({ progress: at('1795880618123-0', 996) }));
      expect(await open().progress()).toEqual([at('1795880618123-0', 996)]);
    });

    describe('the deployment', () => {
      test('is written once, then only over the expected epoch', async () => {
        expect(await store.saveDeployment(null, deployment('e1'))).toEqual(deployment('e1'));
        expect(await store.saveDeployment(null, deployment('e2'))).toEqual(deployment('e1'));
        expect(await store.saveDeployment('e0', deployment('e2'))).toEqual(deployment('e1'));
        expect(await store.deployment()).toEqual(deployment('e1'));
        expect(await store.saveDeployment('e1', deployment('e2', 2, loss(1, 900), loss(2, 1000)))).toEqual(
          deployment('e2', 2, loss(1, 900), loss(2, 1000)),
        );
        expect(await store.saveDeployment('e1', deployment('e3', 3))).toEqual(
          deployment('e2', 2, loss(1, 900), loss(2, 1000)),
        );
        expect(await open().deployment()).toEqual(deployment('e2', 2, loss(1, 900), loss(2, 1000)));
      });

      test('can be written again under its own epoch', async () => {
        await store.saveDeployment(null, deployment('e1'));
        expect(await store.saveDeployment('e1', deployment('e1', 1, loss(1, 5)))).toEqual(
          deployment('e1', 1, loss(1, 5)),
        );
        expect(await store.saveDeployment('e1', deployment('e2', 2, loss(2, 6)))).toEqual(
          deployment('e2', 2, loss(2, 6)),
        );
        expect(await store.deployment()).toEqual(deployment('e2', 2, loss(2, 6)));
      });

      test('an expected epoch where nothing is stored is an error', async () => {
        await expect(store.saveDeployment('e1', deployment('e2'))).rejects.toThrow('e1');
        expect(await store.deployment()).toBeNull();
      });

      test.each([
        ['the first', null],
        ['a later', 'e0'],
      ])('of many who write %s one at a time one wins', async (_, expected) => {
        const stores = [store, open(), open(), open()];
        if (expected) await store.saveDeployment(null, deployment(expected));
        const answers = await Promise.all(
          stores.map((one, index) => one.saveDeployment(expected, deployment(`n${index}`, 2))),
        );
        const winner = await store.deployment();
        expect(winner?.generation).toBe(2);
        expect(answers).toEqual(stores.map(() => winner));
      });
    });

    test('a deployment written under its own epoch meanwhile does not keep the next epoch out', async () => {
      const stores = [store, open(), open(), open()];
      await store.saveDeployment(null, deployment('e0'));
      for (let round = 1; round <= 8; round++) {
        const [before, after] = [`e${round - 1}`, `e${round}`];
        const next = deployment(after, round);
        const answers = await Promise.all(
          stores.map((one, index) =>
            one.saveDeployment(before, index === 3 ? next : deployment(before, round, loss(round, index))),
          ),
        );
        expect(answers[3]).toEqual(next);
        expect(await store.deployment()).toEqual(next);
      }
    });

    describe('two stores on the same data', () => {
      test('each sees what the other has written', async () => {
        const other = open();
        for (let seq = 1; seq <= 20; seq++) {
          const [writer, reader] = seq % 2 ? [store, other] : [other, store];
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
        const other = open();
        for (let first = 1; first <= 60; first += 20) {
          const blocks = Array.from({ length: 20 }, (_, index) => block('c', first + index, first + index));
          const [mine, theirs] = await Promise.all([
            store.write(write({ blocks })),
            other.write(write({ blocks: blocks.toReversed() })),
          ]);
          const pairs = mine.map((outcome, index) => [outcome, theirs.toReversed()[index]].toSorted().join());
          expect(pairs).toEqual(blocks.map(() => 'stored,taken'));
        }
        expect(await store.blocks('c', 1, 60, 'oldest', 100)).toHaveLength(60);
      });

      test('whoever sees a block sees progress that is not behind it', async () => {
        const reader = open();
        let isDone = false;
        const writing = (async () => {
          for (let seq = 1; seq <= 40; seq++)
            await store.write(
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
      await store.write(write({ blocks: [block('c', 1, 1)] }));
      await store.close();
      await store.close();
      await expect(store.ping()).rejects.toThrow();
      await expect(store.newestBlock('c')).rejects.toThrow();
      await expect(store.write(write({ blocks: [block('c', 2, 2)] }))).rejects.toThrow();
      expect((await open().newestBlock('c'))?.lastSeq).toBe(1);
    });
  });
}
