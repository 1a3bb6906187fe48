import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { openSqliteStore } from '../../../../shared/history/sqlite/store.ts';
import type { HistoryStore } from '../../../../shared/history/store.ts';
import type { MessageEntry, SkippedEntry } from '../../../../shared/model/entry.ts';
import { readHead } from '../../../../shared/model/message-text.ts';
import { archiveWithoutRedis, messageEntries } from '../../../support/archive.ts';
import { alwaysInTime } from '../../../support/properties.ts';

/**
 * The chain rule against a stream of one conversation, with a store in memory. Two archives own the partition in turns,
 * and for a moment both. Each holds a batch between reading and writing; a write fails before or after it was carried
 * out; other slots lose something, so that the epoch changes.
 */
type Entry = MessageEntry | SkippedEntry;
type Fault = 'none' | 'before' | 'after';

const deployment = (epoch: number) => ({
  epoch: `e${epoch}`,
  generation: epoch,
  partitions: 1,
  inboxShards: 1,
  opened: true,
  formats: 1,
  losses: [],
});

/** One store for all worlds: each has a conversation of its own, and their epochs go on. */
const store = openSqliteStore(':memory:');
let epoch = 0;
let worlds = 0;
afterAll(() => store.close());

async function nextEpoch(): Promise<void> {
  await store.saveDeployment(epoch === 0 ? null : `e${epoch}`, deployment(epoch + 1));
  epoch += 1;
}

/** How the next write of the store ends, and after how many others. */
let fault: { kind: Fault; after: number } = { kind: 'none', after: 0 };
const write: HistoryStore['write'] = async (given) => {
  const { kind, after } = fault;
  fault = kind === 'none' || after === 0 ? { kind: 'none', after: 0 } : { kind, after: after - 1 };
  if (kind === 'none' || after > 0) return store.write(given);
  if (kind === 'after') await store.write(given);
  throw new Error('the answer did not come');
};
const errors: object[] = [];
const archives = [0, 1].map(() => archiveWithoutRedis({ ...store, write }, errors));

/** A group of consumers, as Redis keeps it: what was delivered, and what of it is settled. */
class World {
  readonly conversation = `c${++worlds}`;
  readonly settled = new Set<string>();
  readonly batches: ({ entries: Entry[]; repeated: boolean; epoch: number } | null)[] = [null, null];
  readonly entries: Entry[];
  delivered = 0;

  constructor(runs: readonly { messages: number; skip: number }[]) {
    let seq = 1;
    this.entries = runs.flatMap(({ messages, skip }): Entry[] => {
      const { conversation } = this;
      const said = messageEntries(seq, seq + messages - 1).map((entry) => ({ ...entry, conversation }));
      seq += messages;
      if (skip === 0) return said;
      const last = 1000 + seq - 1;
      const skipped: SkippedEntry = {
        type: 'skipped',
        streamId: `${last}-1`,
        conversation,
        fromSeq: seq,
        toSeq: seq + skip - 1,
      };
      seq += skip;
      return [...said, skipped];
    });
  }

  get pending(): Entry[] {
    return this.entries.slice(0, this.delivered).filter(({ streamId }) => !this.settled.has(streamId));
  }

  read(i: number, count: number, isNew: boolean): void {
    if (!isNew) {
      const entries = this.pending.slice(0, count);
      this.batches[i] = entries.length === 0 ? null : { entries, repeated: true, epoch };
      return;
    }
    const entries = this.entries.slice(this.delivered, this.delivered + count);
    this.delivered += entries.length;
    // As the consumer does: a batch that is not the oldest pending one is not handled.
    const isOldest = entries.length > 0 && this.pending[0] === entries[0];
    this.batches[i] = isOldest ? { entries, repeated: false, epoch } : null;
  }

  async write(i: number): Promise<void> {
    const batch = this.batches[i] ?? null;
    this.batches[i] = null;
    if (batch === null) return;
    const handled = await archives[i]!.handle(0, batch.entries, batch.repeated, `e${batch.epoch}`).catch(
      (thrown: Error) => {
        if (!/is over|did not come/.test(thrown.message)) throw thrown;
        return 'again' as const;
      },
    );
    if (handled === 'again') return;
    if (batch.epoch !== epoch) throw new Error('a batch of an earlier epoch was taken');
    for (const id of handled.settle) this.settled.add(id);
  }
}

type Step = (world: World) => Promise<void> | void;
const process = fc.nat(1);
const reading = fc.record({ i: process, count: fc.integer({ min: 1, max: 4 }), isNew: fc.boolean() }).map(
  ({ i, count, isNew }): Step =>
    (world) =>
      world.read(i, count, isNew),
);
const writing = process.map(
  (i): Step =>
    (world) =>
      world.write(i),
);
const failing = fc.record({ kind: fc.constantFrom<Fault>('before', 'after'), after: fc.nat(2) }).map(
  (next): Step =>
    () =>
      void (fault = next),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: reading },
  { weight: 4, arbitrary: writing },
  failing,
  fc.constant<Step>(nextEpoch),
);
const runs = fc.array(fc.record({ messages: fc.integer({ min: 1, max: 8 }), skip: fc.nat(2) }), {
  minLength: 1,
  maxLength: 4,
});

test('history comes to hold exactly the stream, whoever writes, fails, comes late or repeats', async () => {
  await alwaysInTime(
    fc.asyncProperty(runs, fc.array(step, { maxLength: 30 }), async (stream, steps) => {
      const world = new World(stream);
      await nextEpoch();
      errors.length = 0;
      for (const one of steps) await one(world);
      fault = { kind: 'none', after: 0 };
      // One of them goes on alone.
      for (let turn = 0; world.settled.size < world.entries.length; turn++) {
        if (turn > 60) throw new Error('it does not come to an end');
        world.read(0, 6, world.pending.length === 0);
        await world.write(0);
      }
      const blocks = await store.blocks(world.conversation, 1, 9999, 'oldest', 999);
      const ids = blocks.flatMap(({ firstSeq, texts }) => texts.map((text, i) => [firstSeq + i, readHead(text).id]));
      const said = world.entries.filter((entry) => entry.type === 'message');
      expect(ids).toEqual(said.map(({ seq, streamId }) => [seq, `0-${streamId}`]));
      expect(errors).toEqual([]);
    }),
  );
});
