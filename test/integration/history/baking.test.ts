import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { withCold } from '../../../shared/history/cold/cold.ts';
import { amendedText } from '../../../shared/model/amendment.ts';
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

/** Old bodies leave what is stored, wherever it lies. */

const { kinds, skipped, stop } = await storeKinds();
if (skipped !== undefined) test('MongoDB', ({ skip }) => skip(skipped));
const redis = new Redis(inject('redisUrl'));
afterAll(async () => {
  redis.disconnect();
  await stop();
});

const minuteMs = 60_000;

describe.each(kinds)('in $name', (kind) => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await openScene(kind, redis);
  });
  afterEach(() => scene.close());

  test('no old body is left in plain, packed, merged and cold blocks; all else is as it was', async () => {
    const { store, whole, fill, baking, cooling, merging, discard, stored, everything, marked } = scene;
    const blocks = [
      blockOf(1, 50, 100),
      blockOf(51, 100, 2, 2),
      blockOf(101, 150, 1),
      ...numbers(151, 9).map((i) => blockOf(i, i)),
    ];
    await fill(blocks);
    await cooling()();
    const recalled = [10, 60, 110, 155];
    const edited = [20, 70, 120, 156];
    const rows = [
      ...recalled.map((seq) => amendment(seq, 1000 + seq)),
      ...edited.map((seq) => amendment(seq, 1000 + seq, `{"text":"new-${seq}"}`)),
    ];
    await fill([], rows);
    // Too early for a rewriting.
    await baking({ at: bakedAt - 2 * minuteMs })();
    expect(await everything()).toContain(secret(10));
    await merging()();
    await baking()();
    await discard();
    const bytes = await everything();
    for (const seq of [...recalled, ...edited]) expect(bytes).not.toContain(secret(seq));
    for (const seq of edited) expect(bytes).toContain(`new-${seq}`);
    const expected = new Map(numbers(1, 159).map((seq) => [seq, textOf(seq)]));
    for (const row of rows) expected.set(row.seq, amendedText(textOf(row.seq), row));
    expect(await stored()).toEqual(expected);
    expect(await whole.toBake(0, bakedAt, 99)).toEqual([]);
    expect(await whole.amendments('c', 1, 9999)).toHaveLength(rows.length);
    expect(await marked()).toBe(rows.length);
    // Nothing is written again.
    const before = await store.ranges('c', 1, 99);
    const states = await Promise.all(before.map((range) => store.stateOf(range)));
    await baking()();
    expect(await Promise.all(before.map((range) => store.stateOf(range)))).toEqual(states);
  });

  test('the body of an edit goes too, once another amendment has taken its place', async () => {
    const { fill, baking, cooling, discard, everything } = scene;
    await fill([blockOf(1, 5), blockOf(6, 10, 100)], [amendment(3, 20, '"second-3"'), amendment(7, 21, '"second-7"')]);
    await cooling()();
    await baking()();
    expect(await everything()).toContain('second-7');
    await fill([], [amendment(3, 30), amendment(7, 31, '"third-7"')]);
    await baking()();
    await discard();
    const bytes = await everything();
    expect(bytes).not.toContain('second-');
    expect(bytes).toContain('third-7');
  });

  test('what cannot be written is told of, and holds up nothing else', async () => {
    const { store, objects, whole, lines, fill, baking, cooling, namesOf } = scene;
    await fill(
      [blockOf(1, 20, 100), blockOf(21, 40)],
      [amendment(8, 50), amendment(28, 51, null, bakedAt - 60.5 * minuteMs)],
    );
    await cooling()();
    const [name] = await namesOf();
    const object = await objects.get(name!);
    await objects.put(name!, object.subarray(0, 80));
    await baking()();
    expect(lines).toMatchObject([{ event: 'bake_failed', conversation: 'c', firstSeq: 1, lastSeq: 20 }]);
    expect((await whole.toBake(0, bakedAt, 9)).map(({ seq }) => seq)).toEqual([8]);
    await objects.put(name!, object);
    await baking()();
    expect(await whole.toBake(0, bakedAt, 9)).toEqual([]);
    // Without the place of cold texts its blocks wait.
    await fill([], [amendment(9, 52)]);
    await baking({ history: withCold(store, null), objects: null })();
    expect((await whole.toBake(0, bakedAt, 9)).map(({ seq }) => seq)).toEqual([9]);
  });

  test('rows without a text are marked: there is nothing to take out', async () => {
    const { whole, fill, baking } = scene;
    await fill([blockOf(1, 5), blockOf(7, 9)], [amendment(6, 20), amendment(50, 60)]);
    await baking()();
    expect(await whole.toBake(0, bakedAt, 9)).toEqual([]);
    expect(await whole.amendments('c', 1, 99)).toHaveLength(2);
  });

  test('a run is bounded, and the next one goes on', async () => {
    const { whole, fill, baking, everything } = scene;
    const seqs = numbers(1, 260);
    await fill(
      seqs.map((seq) => blockOf(seq, seq)),
      seqs.map((seq) => amendment(seq, 1000 + seq)),
    );
    await baking()();
    const left = (await whole.toBake(0, bakedAt, 999)).length;
    expect(left).toBeLessThan(260);
    // A block is a call of the store, so a slow one may need several runs.
    for (let run = 0; run < 20 && (await whole.toBake(0, bakedAt, 1)).length > 0; run++) await baking()();
    expect(await whole.toBake(0, bakedAt, 9)).toEqual([]);
    expect(await everything()).not.toContain('secret');
  });
});
