import { expect, test } from 'vitest';
import { explore, told } from './explore.ts';
import { all, presence, type Rules } from './presence.ts';

/** Bounds within which each rule is needed. */
const bounds = { sessions: 2, faults: 1, queries: 1 };

test.each([bounds, { sessions: 2, faults: 2, queries: 0 }, { sessions: 3, faults: 1, queries: 0 }])(
  'a watcher is told no permanent lie, whatever devices and gateways do within %o',
  (within) => {
    const exploration = explore(presence(all, within));
    expect(told(exploration)).toMatch(/^no violation/);
    expect(exploration.states).toBeGreaterThan(30_000);
  },
  300_000,
);

const online = 'told "online" for good of who is offline';
const offline = 'told "offline" for good of who is online';

test.each<[keyof Rules, string]>([
  ['lease', 'never comes to rest'],
  ['ownRoute', 'a connected device lost its route'],
  ['repliesOffline', online],
  ['looksAgain', offline],
  ['publishesInStep', online],
  ['tellsOfGateways', online],
  ['tellsAll', online],
  ['tellsOfReturn', offline],
  ['followsFirst', offline],
  ['dropsOldAnswers', offline],
  ['asksAfterSubscribing', offline],
  ['suspects', online],
  ['tellsDoubters', offline],
])(
  'without the rule "%s": %s',
  (rule, violation) => {
    expect(explore(presence({ ...all, [rule]: false }, bounds)).violation).toBe(violation);
  },
  300_000,
);
