import { describe, expect, test } from 'vitest';
import { type Facts, type Report, verdict } from '../../../../shared/recovery/verdict.ts';

/** Two partitions and a shard, all of it there: history has nothing that Redis has not. */
const whole = (): Facts => ({
  opening: 5,
  timedOut: false,
  history: {
    epoch: 'e1',
    archived: new Map([['p0', '1700-1']]),
    slots: new Map([
      ['p0', { gate: 5, mark: 2 }],
      ['p1', { gate: 5, mark: 2 }],
      ['i0', { gate: 5, mark: 2 }],
    ]),
    enlisted: [
      { id: 'web', dead: false },
      { id: 'fanout', dead: false },
    ],
  },
  redis: {
    epoch: 'e1',
    opened: true,
    slots: new Map([
      ['p0', { epoch: 'e1', mark: 2, lastId: '1700-3' }],
      ['p1', { epoch: 'e1', mark: 2, lastId: '0-0' }],
      ['i0', { epoch: 'e1', mark: 2, lastId: null }],
    ]),
  },
  reports: new Map([
    ['web', report({ p0: '1700-3' })],
    ['fanout', report({ p0: '1700-2' })],
  ]),
});

function report(partitions: Record<string, string> = {}, lost: string[] = [], opening = 5): Report {
  return { opening, partitions: new Map(Object.entries(partitions)), lost, short: false };
}

function inRedis(facts: Facts, changes: Partial<Facts['redis']>): Facts {
  return { ...facts, redis: { ...facts.redis, ...changes } };
}

function withSlot(slot: string, changes: object, facts = whole()): Facts {
  const slots = new Map(facts.redis.slots).set(slot, { ...facts.redis.slots.get(slot)!, ...changes });
  return inRedis(facts, { slots });
}

function withReport(id: string, one: Report | null, facts = whole()): Facts {
  const reports = new Map(facts.reports);
  if (one === null) reports.delete(id);
  else reports.set(id, one);
  return { ...facts, reports };
}

function withDead(id: string, facts = whole()): Facts {
  const enlisted = facts.history.enlisted.map((one) => (one.id === id ? { id, dead: true } : one));
  return { ...facts, history: { ...facts.history, enlisted } };
}

describe('the verdict of an opening', () => {
  test('opens what nobody misses anything in', () => {
    expect(verdict(whole())).toEqual({ word: 'open' });
    // Nobody is enlisted after a clean stop.
    const alone = { ...whole(), history: { ...whole().history, enlisted: [] }, reports: new Map() };
    expect(verdict(alone)).toEqual({ word: 'open' });
  });

  test('takes another epoch, or an empty Redis, for a loss of everything, and waits for nobody', () => {
    for (const epoch of [null, 'e0']) {
      const facts = { ...inRedis(whole(), { epoch }), reports: new Map() };
      expect(verdict(facts)).toMatchObject({ word: 'loss', shown: true, slots: 'all' });
    }
  });

  test.each<[string, Facts, string[], string]>([
    ['a slot that is gone', withSlot('i0', { epoch: null, mark: 0 }), ['i0'], 'i0 is gone'],
    ['a slot of another epoch', withSlot('p1', { epoch: 'e0' }), ['p1'], 'p1 is of another epoch'],
    ['a mark below the one in history', withSlot('i0', { mark: 1 }), ['i0'], 'i0 has mark 1, history has 2'],
    ['a stream that is gone', withSlot('p1', { lastId: null }), ['p1'], 'the stream of p1 is gone'],
    [
      'a stream that ends below what is archived',
      withReport('web', report(), withReport('fanout', report(), withSlot('p0', { lastId: '1700-0' }))),
      ['p0'],
      'p0 ends at 1700-0, history has 1700-1',
    ],
    [
      'a stream that ends below what a process has seen',
      withReport('web', report({ p1: '99-10' }), withSlot('p1', { lastId: '99-9' })),
      ['p1'],
      'p1 ends at 99-9, web has seen 99-10',
    ],
    [
      'an inbox below what a process has seen',
      withReport('fanout', report({}, ['i0'])),
      ['i0'],
      'fanout misses in i0 what it has seen',
    ],
    [
      'a large group below what a process has seen',
      withReport('web', report({}, ['p1'])),
      ['p1'],
      'web misses in p1 what it has seen',
    ],
  ])('finds %s, in that slot alone', (_, facts, slots, reason) => {
    expect(verdict(facts)).toEqual({ word: 'loss', shown: true, slots, reason });
  });

  describe('after the short way', () => {
    const sender = { ...report(), short: true };

    test.each<[string, Facts]>([
      ['what was seen', withReport('fanout', report({}, ['i0']), withReport('web', sender))],
      ['a mark', withSlot('i0', { mark: 1 }, withReport('web', sender))],
    ])('takes a shard that lacks %s for a loss in every partition too', (_, facts) => {
      const found = verdict(facts) as { slots: string[]; reason: string };
      expect(found).toMatchObject({ word: 'loss', shown: true, slots: ['i0', 'p0', 'p1'] });
      expect(found.reason).toContain('p1 may lack what was seen in i0');
    });

    test('leaves the other slots out of a loss in a partition, and opens what nobody misses anything in', () => {
      expect(verdict(withReport('web', sender))).toEqual({ word: 'open' });
      const facts = withReport('fanout', report({ p1: '99-10' }), withReport('web', sender));
      expect(verdict(facts)).toMatchObject({ word: 'loss', slots: ['p1'] });
    });

    test('counts what a process said that has ended since, and not what it said of an earlier opening', () => {
      const facts = withDead('web', withReport('web', sender, withReport('fanout', report({}, ['i0']))));
      expect(verdict(facts)).toMatchObject({ slots: ['i0', 'p0', 'p1'] });
      const earlier = withReport('left', { ...sender, opening: 4 }, withReport('fanout', report({}, ['i0'])));
      expect(verdict(earlier)).toMatchObject({ slots: ['i0'] });
    });
  });

  test('finds a slot that only history knows', () => {
    const slots = new Map(whole().redis.slots);
    slots.delete('p0');
    expect(verdict(inRedis(whole(), { slots }))).toMatchObject({ word: 'loss', slots: ['p0'] });
  });

  test('waits for the living, until the time is over', () => {
    const facts = withReport('web', null);
    expect(verdict(facts)).toEqual({ word: 'wait', for: ['web'] });
    const reason = 'not heard of: web';
    expect(verdict({ ...facts, timedOut: true })).toEqual({ word: 'loss', shown: false, slots: 'all', reason });
  });

  test('does not count the report for an earlier opening, but that for a later one', () => {
    expect(verdict(withReport('web', report({}, [], 4)))).toEqual({ word: 'wait', for: ['web'] });
    expect(verdict(withReport('web', report({ p1: '9-9' }, ['i0'], 4)))).toEqual({ word: 'wait', for: ['web'] });
    expect(verdict(withReport('web', report({}, [], 6)))).toEqual({ word: 'open' });
  });

  test('takes a dead process that said nothing for a loss, and one that reported before for a witness', () => {
    const reason = 'not heard of: web';
    const facts = withDead('web', withReport('web', null, withReport('fanout', null)));
    expect(verdict(facts)).toEqual({ word: 'loss', shown: false, slots: 'all', reason });
    expect(verdict(withDead('web'))).toEqual({ word: 'open' });
  });

  test('leaves no slot out of a loss before every process was heard', () => {
    const facts = withReport('web', null, withSlot('i0', { mark: 1 }));
    expect(verdict(facts)).toEqual({ word: 'wait', for: ['web'] });
    const reason = 'i0 has mark 1, history has 2; not heard of: web';
    const all = { word: 'loss', shown: true, slots: 'all', reason };
    expect(verdict({ ...facts, timedOut: true })).toEqual(all);
    expect(verdict(withDead('web', facts))).toEqual(all);
  });

  test('listens to a process that is not enlisted any more', () => {
    const facts = withReport('left', report({ p0: '1700-4' }));
    expect(verdict(facts)).toMatchObject({ word: 'loss', slots: ['p0'] });
  });

  test('does not miss in an epoch that is not opened yet what its opening makes', () => {
    const slots = new Map([
      ['p0', { epoch: 'e1', mark: 2, lastId: '1700-3' }],
      ['p1', { epoch: 'e0', mark: 0, lastId: null }],
      ['i0', { epoch: null, mark: 0, lastId: null }],
    ]);
    expect(verdict(inRedis(whole(), { opened: false, slots }))).toEqual({ word: 'open' });
    slots.set('p0', { epoch: 'e1', mark: 1, lastId: '1700-0' });
    expect(verdict(inRedis(whole(), { opened: false, slots }))).toMatchObject({ word: 'loss', slots: ['p0'] });
  });

  test('names a few reasons and counts the others', () => {
    const slots = new Map(Array.from({ length: 6 }, (_, i) => [`i${i}`, { epoch: null, mark: 0, lastId: null }]));
    const found = verdict({ ...inRedis(whole(), { slots }), history: { ...whole().history, archived: new Map() } });
    expect(found).toMatchObject({ reason: 'i0 is gone; i1 is gone; i2 is gone and 5 more' });
  });
});
