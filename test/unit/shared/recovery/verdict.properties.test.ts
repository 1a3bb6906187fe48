import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Facts, type Report, verdict } from '../../../../shared/recovery/verdict.ts';
import { always } from '../../../support/properties.ts';

const partitions = ['p0', 'p1'];
const slots = [...partitions, 'i0'];
const ids = ['web', 'fanout', 'archive'];

const streamId = fc.tuple(fc.nat(3), fc.nat(3)).map(([ms, seq]) => `${ms}-${seq}`);
const someOf = <Value>(keys: string[], value: fc.Arbitrary<Value>): fc.Arbitrary<Map<string, Value>> =>
  fc.array(fc.tuple(fc.constantFrom(...keys), value), { maxLength: keys.length }).map((entries) => new Map(entries));

const report: fc.Arbitrary<Report> = fc.record({
  opening: fc.integer({ min: 4, max: 6 }),
  partitions: someOf(partitions, streamId),
  lost: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, fc.subarray(slots)),
  short: fc.boolean(),
});

/** Small numbers, so that evidence is now above and now below what Redis has. */
const anyFacts: fc.Arbitrary<Facts> = fc.record({
  opening: fc.constant(5),
  timedOut: fc.boolean(),
  history: fc.record({
    epoch: fc.constant('e1'),
    archived: someOf(partitions, streamId),
    slots: someOf(slots, fc.record({ gate: fc.constant(5), mark: fc.nat(2) })),
    enlisted: fc
      .subarray(ids)
      .chain((some) => fc.tuple(...some.map((id) => fc.record({ id: fc.constant(id), dead: fc.boolean() })))),
  }),
  redis: fc.record({
    epoch: fc.oneof({ weight: 8, arbitrary: fc.constant('e1') }, fc.constantFrom('e0', null)),
    opened: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
    slots: fc
      .tuple(
        ...slots.map((slot) =>
          fc
            .record({
              epoch: fc.oneof({ weight: 8, arbitrary: fc.constant('e1') }, fc.constantFrom('e0', null)),
              mark: fc.integer({ min: 1, max: 3 }),
              lastId:
                slot === 'i0' ? fc.constant(null) : fc.oneof({ weight: 8, arbitrary: streamId }, fc.constant(null)),
            })
            .map((state) => [slot, state] as const),
        ),
      )
      .map((entries) => new Map(entries)),
  }),
  reports: someOf(ids, report),
});

/** As numbers that keep the order of these small ids. */
const rankOf = (id: string): number => Number(id.replace('-', '.'));

/** A world in which Redis has everything that history and the processes have. */
const wholeFacts = anyFacts.map((facts): Facts => {
  const enlisted = facts.history.enlisted.map(({ id }) => ({ id, dead: false }));
  const within = (found: ReadonlyMap<string, string>): Map<string, string> =>
    new Map([...found].filter(([, id]) => rankOf(id) <= 2));
  const reports = new Map(
    ids.map((id) => {
      const { partitions: seen = new Map(), short = false } = facts.reports.get(id) ?? {};
      return [id, { opening: 5, partitions: within(seen), lost: [], short }];
    }),
  );
  const states = new Map(slots.map((slot) => [slot, { epoch: 'e1', mark: 2, lastId: slot === 'i0' ? null : '2-3' }]));
  return {
    ...facts,
    history: { ...facts.history, enlisted, archived: within(facts.history.archived) },
    redis: { epoch: 'e1', opened: true, slots: states },
    reports,
  };
});

describe('a verdict, whatever the facts', () => {
  test('is never a loss where nothing can be missing', () => {
    always(
      fc.property(wholeFacts, (facts) => {
        expect(verdict(facts)).toEqual({ word: 'open' });
      }),
    );
  });

  test('opens only what every process was heard about, and nobody has seen more of', () => {
    always(
      fc.property(anyFacts, (facts) => {
        if (verdict(facts).word !== 'open') return;
        const { history, redis, reports } = facts;
        const heard = new Map([...reports].filter(([, { opening }]) => opening >= 5));
        for (const { id } of history.enlisted) expect(heard.has(id)).toBe(true);
        expect(redis.epoch).toBe('e1');
        for (const [slot, { epoch, mark, lastId }] of redis.slots) {
          if (redis.opened) expect(epoch).toBe('e1');
          if (epoch === 'e1') expect(mark).toBeGreaterThanOrEqual(history.slots.get(slot)?.mark ?? 0);
          const last = rankOf(lastId ?? '0-0');
          const seen = [
            history.archived.get(slot),
            ...[...heard.values()].map(({ partitions: ends }) => ends.get(slot)),
          ];
          expect(seen.some((id) => id !== undefined && rankOf(id) > last)).toBe(false);
          expect([...heard.values()].some(({ lost }) => lost.includes(slot))).toBe(false);
        }
      }),
    );
  });

  test('names a slot as whole only when every process was heard', () => {
    always(
      fc.property(anyFacts, (facts) => {
        const found = verdict(facts);
        if (found.word !== 'loss' || found.slots === 'all') return;
        const heard = [...facts.reports].filter(([, { opening }]) => opening >= 5).map(([id]) => id);
        expect(facts.history.enlisted.filter(({ id }) => !heard.includes(id))).toEqual([]);
        expect(found.slots.length).toBeGreaterThan(0);
        expect(found.shown).toBe(true);
      }),
    );
  });

  test('comes when the time is over, and waits for nobody who is dead or was heard', () => {
    always(
      fc.property(anyFacts, (facts) => {
        const found = verdict(facts);
        if (found.word !== 'wait') return;
        expect(facts.timedOut).toBe(false);
        expect(found.for.length).toBeGreaterThan(0);
        for (const id of found.for) {
          expect(facts.history.enlisted).toContainEqual({ id, dead: false });
          expect(facts.reports.get(id)?.opening ?? 0).toBeLessThan(5);
        }
      }),
    );
  });

  test('does not hear what was said in an earlier opening', () => {
    always(
      fc.property(anyFacts, fc.constantFrom(...ids), report, (facts, id, earlier) => {
        const without = new Map(facts.reports);
        without.delete(id);
        const reports = new Map(without).set(id, { ...earlier, opening: 4 });
        expect(verdict({ ...facts, reports })).toEqual(verdict({ ...facts, reports: without }));
      }),
    );
  });

  test('never turns from a loss to none by more evidence', () => {
    always(
      fc.property(anyFacts, fc.constantFrom(...partitions), (facts, slot) => {
        const timedOut = { ...facts, timedOut: true };
        if (verdict(timedOut).word !== 'loss') return;
        const archived = new Map(timedOut.history.archived).set(slot, '9-9');
        expect(verdict({ ...timedOut, history: { ...timedOut.history, archived } }).word).toBe('loss');
      }),
    );
  });
});
