import { expect, test } from 'vitest';
import type { Rank } from '../../../../../sdk/src/prefetch/api.ts';
import { lastActivity } from '../../../../../sdk/src/prefetch/choose.ts';
import { parseLog } from '../../../../../tools/rehearsal/irc/parse.ts';
import { emptyTally, evaluateDay, evaluationOf } from '../../../../../tools/rehearsal/prefetch/evaluate.ts';

/** Ann writes to four others, comes back to the last and to the first, and to one who is new. */
const log = `
=== eve [e@host] has joined #x
[09:00] <bob> hello
[09:00] <cat> hello
[09:00] <dan> hello
[09:01] <ann> bob: one
[09:02] <ann> cat, two
[09:03] <ann> dan: three
[09:04] <dan> ann: four
[09:05] <ann> Dan: five
[09:06] <ann> bob: six
[09:07] <ann> nobody: seven
[09:07] <ann> https://example.com eight
[09:08] <ann> ann: nine
[09:09] <ann> eve: ten
`;

const evaluate = (rank: Rank, least?: number) => {
  const tally = emptyTally();
  evaluateDay(tally, parseLog(log).events, rank, least);
  return evaluationOf(tally);
};

test('ranks the conversations of a writer before each line to somebody', () => {
  // Of ann: cat, dan and eve are new; dan is the last, bob the third. Of dan: ann is the only one.
  expect(evaluate(lastActivity)).toEqual({
    choices: 6,
    candidates: (1 + 2 + 1 + 3 + 3 + 3) / 6,
    reachable: 3 / 6,
    hits: { 1: 2 / 6, 3: 3 / 6, 5: 3 / 6 },
  });
});

test('a ranking the other way round finds less, and writers with few conversations may be left out', () => {
  const reversed: Rank = (candidates) => candidates.map(({ at }) => -at);
  expect(evaluate(reversed, 3)).toEqual({
    choices: 3,
    candidates: 3,
    reachable: 2 / 3,
    hits: { 1: 1 / 3, 3: 2 / 3, 5: 2 / 3 },
  });
});
