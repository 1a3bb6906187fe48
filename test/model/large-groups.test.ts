import { describe, expect, test } from 'vitest';
import { type Model, explore, told } from './explore.ts';
import { largeChannel } from './large-channel.ts';
import type { GatewayRules } from './large-gateway.ts';
import { type InboxRules, largeInboxes } from './large-inboxes.ts';

/** Large groups, explored state by state: the protocol as it is, and without each of its rules. */

/** A model in which only one kind of violation counts. */
const aimedAt = <S>(model: Model<S>, kind: RegExp): Model<S> => ({
  ...model,
  violated: (state) => {
    const violation = model.violated(state);
    return violation !== null && kind.test(violation) ? violation : null;
  },
});

const timeout = 120_000;

describe('the engine', () => {
  const counter = (more: Partial<Model<number>>): Model<number> => ({
    initial: [0],
    key: String,
    next: (state) =>
      state < 9
        ? [
            ['one', state + 1],
            ['two', state + 2],
          ]
        : [],
    violated: () => null,
    resting: (state) => state >= 9,
    ...more,
  });

  test('finds a shortest way to a violation', () => {
    expect(explore(counter({ violated: (state) => (state === 4 ? 'four' : null) }))).toMatchObject({
      violation: 'four',
      trace: ['two', 'two'],
    });
  });

  test('finds the states from which there is no rest', () => {
    expect(explore(counter({}))).toEqual({ states: 11, violation: null, trace: [] });
    expect(explore(counter({ resting: (state) => state === 10 }))).toMatchObject({
      violation: 'never comes to rest',
      trace: ['one', 'two', 'two', 'two', 'two'],
    });
  });

  test('does not take half an exploration for a whole one', () => {
    expect(() => explore(counter({}), 5)).toThrow('more than 5 states');
  });
});

describe('inboxes: accept, two fanouts that repeat, and catching up', () => {
  const bounds = { seqs: 3, repeats: 1, reviews: 1, atOnce: 1 };

  test('loses nothing, shows nothing to those who are not members, and leaves no hole', { timeout }, () => {
    const exploration = explore(largeInboxes(bounds));
    expect(told(exploration)).toMatch(/^no violation/);
    expect(exploration.states).toBeGreaterThan(160_000);
  });

  const broken: [what: string, rules: InboxRules, violation: RegExp][] = [
    [
      'a review that reads the spans before the seq covers what goes to the inbox',
      { spansBeforeSeq: true },
      /^a catch-up covers/,
    ],
    [
      'a review that reads the spans before the seq shows what came after leaving',
      { spansBeforeSeq: true },
      /outside of the spans/,
    ],
    [
      'a catch-up without a look at since when C is large covers what goes to the inbox',
      { whateverSince: true },
      /^a catch-up covers/,
    ],
    ['a catch-up over changes of U shows what came after leaving', { overOwnChanges: true }, /outside of the spans/],
    ['a `shrunk` whose prev is the seq before is a hole for ever', { shrunkAfterSeqBefore: true }, /^a hole for ever/],
    ['a skipped entry that changes larges makes it wrong', { listedWhenSkipped: true }, /^larges is wrong/],
    ['a skipped entry that changes larges loses what comes then', { listedWhenSkipped: true }, /^lost/],
  ];
  test.each(broken)('%s', { timeout }, (_what, rules, violation) => {
    expect(told(explore(aimedAt(largeInboxes(bounds, rules), violation)))).toMatch(violation);
  });
});

describe('the channel: a gateway that hears publishes, reviews and attaches', () => {
  const bounds = { seqs: 3, companions: [true], flips: 0, others: 0, lost: 0, repeated: 0, connects: 0, elsewhere: 0 };

  test.each([
    ['publishes that are lost, with nobody else of the group on the gateway', { lost: 1, companions: [false] }, 45_000],
    ['publishes that are lost and repeated', { lost: 1, repeated: 1 }, 100_000],
    ['a group that shrinks and grows', { flips: 2 }, 120_000],
    ['a device that connects elsewhere', { connects: 1 }, 100_000],
    ['another device that catches up, and changes of others', { elsewhere: 1, others: 1 }, 50_000],
  ])('is right under %s', { timeout }, (_what, more, states) => {
    const exploration = explore(largeChannel({ ...bounds, ...more }));
    expect(told(exploration)).toMatch(/^no violation/);
    expect(exploration.states).toBeGreaterThan(states);
  });

  const broken: [what: string, rules: GatewayRules, violation: RegExp][] = [
    ['a review that buffers nothing loses what is published meanwhile', { nothingBuffered: true }, /^lost/],
    ['a newest seq that the review of one user moves loses for the others', { newestFromAnyReview: true }, /^lost/],
    ['attaching U while the fanout still has entries for it loses', { attachedWhenIncomplete: true }, /^lost/],
    [
      'attaching U while the fanout still has entries for it disorders',
      { attachedWhenIncomplete: true },
      /is sent after/,
    ],
    ['a buffer that does not look at what the inbox told disorders', { bufferOutlivesInbox: true }, /is sent after/],
    ['a catch-up that does not tell the head disorders', { headNotLearnt: true }, /is sent after/],
    [
      'a review that is not begun again, and no version, show what came after leaving',
      { reviewOutlivesLoss: true, noVersionCheck: true },
      /outside of the spans/,
    ],
  ];
  test.each(broken)('%s', { timeout }, (_what, rules, violation) => {
    expect(told(explore(aimedAt(largeChannel(bounds, rules), violation)))).toMatch(violation);
  });

  const brokenByLoss: typeof broken = [
    ['no newest seq: a lost publish stays lost', { noNewestCheck: true }, /^lost/],
    ['no look at the tail: a lost last publish stays lost', { noTailCheck: true }, /^lost/],
    ['a review that is not begun again: what it misses stays lost', { reviewOutlivesLoss: true }, /^lost/],
    [
      'no newest seq and no version: what came after leaving is shown',
      { noNewestCheck: true, noVersionCheck: true },
      /outside of the spans/,
    ],
  ];
  test.each(brokenByLoss)('%s', { timeout }, (_what, rules, violation) => {
    expect(told(explore(aimedAt(largeChannel({ ...bounds, lost: 1 }, rules), violation)))).toMatch(violation);
  });

  // The version is a second guard. Even without the first one, nobody sees a message that is not theirs.
  test('keeps what came after leaving from U by the version alone', { timeout }, () => {
    const exploration = explore(
      aimedAt(largeChannel({ ...bounds, lost: 1 }, { noNewestCheck: true }), /outside of the spans/),
    );
    expect(told(exploration)).toMatch(/^no violation/);
    expect(exploration.states).toBeGreaterThan(50_000);
  });
});
