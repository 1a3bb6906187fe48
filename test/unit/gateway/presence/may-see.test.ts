import { expect, test } from 'vitest';
import { createLeakyBuckets } from '../../../../gateway/limits/leaky-buckets.ts';
import { createMaySee } from '../../../../gateway/presence/may-see.ts';

/** Everybody whose name begins with `friend` has written and was written to; `group` members share a group. */
function known(limit: { most: number; periodMs: number } | null = null) {
  const clock = { now: 1000 };
  const hidden = new Set<string>();
  const asked: string[][] = [];
  const { among } = createMaySee(
    {
      async bothWrote(_user, others) {
        asked.push([...others]);
        return new Set(others.filter((one) => one.startsWith('friend')));
      },
      ofAtMost: async (groups) => groups.filter((id) => id !== 'huge'),
      membersOfAny: async (groups, users) =>
        new Set(groups.includes('small') ? users.filter((one) => one.startsWith('group')) : []),
      hidden: async (users) => new Set(users.filter((one) => hidden.has(one))),
    },
    { newestGroups: async (user) => (user === 'alice' ? ['huge', 'small'] : ['huge']) },
    createLeakyBuckets(limit, () => clock.now),
    () => clock.now,
  );
  return {
    clock,
    hidden,
    asked,
    sees: async (user: string, ...users: string[]) => [...(await among(user, users, true))],
  };
}

test('sees those it has written with, members of a group that is not too large, and itself', async () => {
  const { sees } = known();
  expect(await sees('alice', 'friend', 'group', 'stranger', 'alice')).toEqual(
    expect.arrayContaining(['friend', 'group', 'alice']),
  );
  expect(await sees('bob', 'group', 'stranger')).toEqual([]);
});

test('remembers a yes for a minute, in both directions, and a no for ten seconds', async () => {
  const { clock, asked, sees } = known();
  await sees('alice', 'friend', 'stranger');
  await sees('friend', 'alice');
  expect(asked).toEqual([['friend', 'stranger']]);
  clock.now += 10_000;
  await sees('alice', 'friend', 'stranger');
  expect(asked.at(-1)).toEqual(['stranger']);
  clock.now += 50_000;
  await sees('alice', 'friend');
  expect(asked.at(-1)).toEqual(['friend']);
});

test('never remembers who hides: that one is seen by nobody, and sees itself alone', async () => {
  const { hidden, sees } = known();
  expect(await sees('alice', 'friend')).toEqual(['friend']);
  hidden.add('friend');
  expect(await sees('alice', 'friend')).toEqual([]);
  hidden.delete('friend');
  hidden.add('alice');
  expect(await sees('alice', 'friend', 'alice')).toEqual(['alice']);
});

test('charges what it has to look up, and nothing for what it remembers', async () => {
  const { clock, sees } = known({ most: 3, periodMs: 3000 });
  await sees('alice', 'friend1', 'friend2');
  await sees('alice', 'friend1', 'friend2');
  await expect(sees('alice', 'friend3', 'friend4')).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 1000 });
  await sees('bob', 'friend3', 'friend4');
  clock.now += 1000;
  await sees('alice', 'friend3', 'friend4');
});
