import { describe, expect, test } from 'vitest';
import { explore, told } from './explore.ts';
import { type OrderRules, orderedSends } from './ordered-sends.ts';

/** Sends that name an earlier one, explored state by state: as it is, and without each of its rules. */

const timeout = 120_000;

describe('sends that name an earlier one', () => {
  test('are accepted in their order, once each, and all of them in the end', { timeout }, () => {
    const exploration = explore(orderedSends());
    expect(told(exploration)).toMatch(/^no violation/);
    expect(exploration.states).toBeGreaterThan(1000);
  });

  const broken: [what: string, rules: OrderRules, violation: RegExp][] = [
    ['a server that takes no notice of the name', { ignoresNames: true }, /^accepted in the order/],
    ['a client that names nothing', { namesNothing: true }, /^accepted in the order/],
    ['a server that judges the name before it knows the send', { namesFirst: true }, /^a message that was accepted/],
    ['a client that names what has its answer', { namesAnswered: true }, /^never comes to rest/],
  ];
  test.each(broken)('breaks with %s', { timeout }, (_, rules, violation) => {
    const exploration = explore(orderedSends(rules));
    expect(exploration.violation).toMatch(violation);
  });
});
