import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { type Amendment, amendedText } from '../../../shared/model/amendment.ts';
import {
  amendment,
  bakedAt,
  blockOf,
  openScene,
  type Scene,
  secret,
  storeKinds,
  textOf,
} from '../../support/baking.ts';
import { numbers } from '../../support/sending.ts';

/** Old bodies leave what is stored, whatever else goes on, and wherever it is stopped. */

const { kinds, skipped, stop } = await storeKinds();
if (skipped !== undefined) test('MongoDB', ({ skip }) => skip(skipped));
const redis = new Redis(inject('redisUrl'));
afterAll(async () => {
  redis.disconnect();
  await stop();
});

describe.each(kinds)('in $name', (kind) => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await openScene(kind, redis);
  });
  afterEach(() => scene.close());

  test('a merge that had read before changes nothing, and the next one has no old body', async () => {
    const { store, keys, fill, baking, merging, stored, everything, whole } = scene;
    await fill(
      numbers(1, 9).map((seq) => blockOf(seq, seq)),
      [amendment(8, 20)],
    );
    await merging({
      ...whole,
      // It has read the rows as they were before, too.
      amendments: async () => [],
      replaceBlocks: async (...given) => {
        await baking()();
        return store.replaceBlocks(...given);
      },
    })();
    expect((await store.ranges('c', 1, 99)).length).toBe(9);
    expect(await everything()).not.toContain(secret(8));
    await redis.del(keys.compaction);
    await merging()();
    expect((await store.ranges('c', 1, 99)).length).toBe(1);
    expect((await stored()).get(8)).toBe(amendedText(textOf(8), amendment(8, 20)));
  });

  test('a block that was merged meanwhile keeps its rows for the next run', async () => {
    const { store, whole, fill, baking, merging, everything } = scene;
    await fill(
      numbers(1, 9).map((seq) => blockOf(seq, seq)),
      [amendment(8, 20)],
    );
    let merged = false;
    await baking({
      history: {
        ...whole,
        rewriteBlock: async (...given) => {
          if (!merged) await merging({ ...whole, amendments: async () => [] })();
          merged = true;
          return store.rewriteBlock(...given);
        },
      },
    })();
    expect(await everything()).toContain(secret(8));
    expect(await whole.toBake(0, bakedAt, 9)).toHaveLength(1);
    await baking()();
    expect(await everything()).not.toContain(secret(8));
  });

  test('a move into the cold store that had read before changes nothing, and is done again', async () => {
    const { store, fill, baking, cooling, discard, namesOf, everything, whole } = scene;
    await fill([blockOf(1, 20, 100)], [amendment(8, 30)]);
    await cooling({
      ...whole,
      makeCold: async (block) => {
        await baking()();
        return store.makeCold(block);
      },
    })();
    // Its second look moved what was rewritten; of its first one an object is left.
    expect(await store.stateOf(blockOf(1, 20))).toEqual({ format: 4, rev: 1 });
    expect(await namesOf()).toHaveLength(2);
    await discard();
    expect(await namesOf()).toHaveLength(1);
    expect(await everything()).not.toContain(secret(8));
  });

  test('two processes with different rows of a cold block leave the newest', async () => {
    const { store, whole, fill, baking, cooling, discard, namesOf, everything } = scene;
    await fill([blockOf(1, 20, 100)], [amendment(8, 30, '"edited-8"')]);
    await cooling()();
    // The first one stands still between its object and the row; meanwhile the message is recalled.
    let other = Promise.resolve();
    await baking({
      history: {
        ...whole,
        rewriteBlock: async (...given) => {
          await fill([], [amendment(8, 31)]);
          other = baking()();
          await other;
          return store.rewriteBlock(...given);
        },
      },
    })();
    // The other one went on with the object it found, and its row is not marked for that.
    expect(await store.stateOf(blockOf(1, 20))).toEqual({ format: 4, rev: 1 });
    expect((await whole.toBake(0, bakedAt, 9)).map(({ amendSeq }) => amendSeq)).toEqual([31]);
    await baking()();
    await discard();
    expect(await store.stateOf(blockOf(1, 20))).toEqual({ format: 4, rev: 2 });
    expect(await namesOf()).toHaveLength(1);
    const bytes = await everything();
    for (const word of [secret(8), 'edited-8']) expect(bytes).not.toContain(word);
  });

  test.each([
    'before the object is put',
    'after the object is put',
    'before the block is changed',
    'after the block is changed',
    'before the rows are marked',
  ] as const)('stopped %s: nothing is lost, and the next run goes on', async (step) => {
    const { store, objects, whole, fill, baking, cooling, discard, namesOf, stored, everything } = scene;
    const stopped = new Error('stopped here');
    const rows = [amendment(8, 30), amendment(28, 31)];
    await fill([blockOf(1, 20, 100), blockOf(21, 40, 1, 2)], rows);
    await cooling()();
    const faulty = {
      history: { ...whole },
      objects: { ...objects },
    };
    if (step === 'before the object is put') faulty.objects.putNew = () => Promise.reject(stopped);
    if (step === 'after the object is put')
      faulty.objects.putNew = async (...given) => objects.putNew(...given).then(() => Promise.reject(stopped));
    if (step === 'before the block is changed') faulty.history.rewriteBlock = () => Promise.reject(stopped);
    if (step === 'after the block is changed')
      faulty.history.rewriteBlock = async (...given) =>
        store.rewriteBlock(...given).then(() => Promise.reject(stopped));
    if (step === 'before the rows are marked') faulty.history.markBaked = () => Promise.reject(stopped);
    for (let i = 0; i < 2; i++) {
      await baking(faulty)().catch((thrown: unknown) => expect(thrown).toBe(stopped));
      await discard();
      const found = await stored();
      for (const seq of numbers(1, 40)) if (![8, 28].includes(seq)) expect(found.get(seq)).toBe(textOf(seq));
      // What is not stored whole would not be read at all.
      expect(found.size).toBe(40);
    }
    await baking()();
    await discard();
    const found = await stored();
    for (const row of rows) expect(found.get(row.seq)).toBe(amendedText(textOf(row.seq), row));
    expect(await whole.toBake(0, bakedAt, 9)).toEqual([]);
    expect(await namesOf()).toHaveLength(1);
    expect(await everything()).not.toContain(secret(8));
  });

  test('everything at once: whatever runs beside it, no old body stays and no text is lost', async () => {
    const { whole, keys, lines, fill, baking, cooling, merging, discard, stored, everything } = scene;
    const [second, third] = [scene.another(), scene.another()];
    const seqs = numbers(1, 240);
    // Old enough for the cold store, and small enough to be merged before.
    for (let first = 1; first <= 240; first += 12) await fill(numbers(first, 12).map((seq) => blockOf(seq, seq, 100)));
    const newest = new Map<number, Amendment>();
    let open = true;
    const amending = (async () => {
      for (let amendSeq = 1000; amendSeq < 1300; amendSeq++) {
        const seq = seqs[(amendSeq * 7919) % 240]!;
        // Recalled for good, or edited again and again.
        const row = amendment(seq, amendSeq, amendSeq % 3 === 0 ? null : JSON.stringify(`body-${amendSeq}-`));
        newest.set(seq, row);
        await fill([], [row]);
      }
      open = false;
    })();
    /** Until nothing is amended any more. A read whose object was removed meanwhile is tried again. */
    const meanwhile = async (run: () => Promise<void>): Promise<void> => {
      while (open) await run().catch((thrown: unknown) => expect(String(thrown)).toMatch(/ENOENT|locked|busy/));
    };
    await Promise.all([
      amending,
      meanwhile(baking()),
      meanwhile(baking({ history: second })),
      meanwhile(cooling(third)),
      meanwhile(() => redis.hdel(keys.compaction, 'mergedTo').then(merging(second))),
      meanwhile(() => discard()),
    ]);
    for (let run = 0; run < 50 && (await whole.toBake(0, bakedAt, 1)).length > 0; run++) await baking()();
    await discard();
    const expected = new Map(seqs.map((seq) => [seq, textOf(seq)]));
    for (const [seq, row] of newest) expected.set(seq, amendedText(textOf(seq), row));
    expect(await stored()).toEqual(expected);
    // A block that was raised meanwhile has another object.
    expect(lines.filter(({ reason }) => !/ENOENT/.test(reason))).toEqual([]);
    const kept = new Set([...newest.values()].flatMap(({ body }) => (body === null ? [] : [body])));
    const bytes = await everything();
    const bodies = [...bytes.matchAll(/body-\d+-/g)].map(([word]) => JSON.stringify(word));
    for (const body of bodies) expect(kept).toContain(body);
    expect(bytes).not.toContain(secret([...newest.keys()][0]!));
    await Promise.all([second.close(), third.close()]);
  });
});
