import { describe, expect, test } from 'vitest';
import { bake, type BakeRules } from './bake.ts';
import { explore, told } from './explore.ts';

/** Putting amendments into blocks, explored state by state: as it is, and without each of its rules. */

const timeout = 120_000;

describe('putting amendments into blocks', () => {
  test('leaves no older text anywhere, and loses none, whatever is merged, moved or removed', { timeout }, () => {
    const exploration = explore(bake());
    expect(told(exploration)).toMatch(/^no violation/);
    expect(exploration.states).toBeGreaterThan(10_000);
  });

  const broken: [what: string, rules: BakeRules, violation: RegExp][] = [
    ['a merge that compares ranges alone', { mergeCompares: 'none' }, /^an older text is stored/],
    ['a merge that compares its first block alone', { mergeCompares: 'first' }, /^an older text is stored/],
    ['a move into the cold store that compares the range alone', { coldCompares: false }, /^an older text is stored/],
    ['a rewriting that compares the range alone', { rewriteCompares: false }, /^an older text|lost its text/],
    ['objects that are written again', { writesOnce: false }, /^an older text is stored/],
    ['an object of another process that is not looked at', { looksAtObject: false }, /^an older text is stored/],
    ['a row that is marked whatever it has become', { marksAsRead: false }, /^an older text is stored/],
    ['a newer amendment that leaves the mark', { newerUnmarks: false }, /^an older text is stored/],
    ['objects of lower revisions that stay', { dropsLower: false }, /^an object with an older text/],
    ['objects of higher revisions that go', { keepsHigher: false }, /^a block has lost its text/],
    ['objects of warm blocks that go', { keepsWarm: false }, /^a block has lost its text/],
  ];
  test.each(broken)('breaks with %s', { timeout }, (_, rules, violation) => {
    expect(explore(bake(rules)).violation).toMatch(violation);
  });
});
