import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, expect, inject, test } from 'vitest';
import type { DeadLetter } from '../../../shared/model/dead-letter.ts';
import { createDeadLetters, type DeadLetters } from '../../../shared/redis/dead-letters.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { createReplays } from '../../../workers/jobs/replays.ts';

const redis = new Redis(inject('redisUrl'), { protocol: 2 });
afterAll(() => redis.disconnect());

let deadLetters: DeadLetters;
beforeEach(() => {
  deadLetters = createDeadLetters(redis, createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1));
});

const letter = (n: number, reason: DeadLetter['reason'] = 'poison'): DeadLetter => ({
  id: `letter-${n}`,
  reason,
  at: 1000 + n,
  attempts: 5,
  error: 'it failed',
  subject: { user: 'bob', head: n },
});

test('a letter that is added twice is one', async () => {
  expect(await deadLetters.add(letter(1))).toBe(true);
  expect(await deadLetters.add({ ...letter(1), at: 9999 })).toBe(false);
  expect(await deadLetters.list({ limit: 10 })).toMatchObject({
    deadLetters: [letter(1)],
    counts: { poison: 1, conflict: 0 },
  });
});

test('pages are newest first, whole, and of one reason if asked', async () => {
  for (let n = 1; n <= 7; n++) await deadLetters.add(letter(n, n % 2 === 0 ? 'conflict' : 'poison'));
  const seen: string[] = [];
  for (let after: string | undefined; ;) {
    const page = await deadLetters.list({ limit: 3, ...(after === undefined ? {} : { after }) });
    seen.push(...page.deadLetters.map(({ id }) => id));
    if (page.next === undefined) break;
    after = page.next;
  }
  expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1].map((n) => `letter-${n}`));
  const conflicts = await deadLetters.list({ reason: 'conflict', limit: 10 });
  expect(conflicts.deadLetters.map(({ id }) => id)).toEqual(['letter-6', 'letter-4', 'letter-2']);
  expect(conflicts.counts).toMatchObject({ poison: 4, conflict: 3 });
});

test('of two that close a letter one wins, and what fails again afterwards is open again', async () => {
  await deadLetters.add(letter(1));
  expect(
    (await Promise.all([deadLetters.close(letter(1), 'one'), deadLetters.close(letter(1), 'other')])).toSorted(),
  ).toEqual([false, true]);
  expect(await deadLetters.list({ limit: 10 })).toMatchObject({ deadLetters: [], counts: { poison: 0 } });
  expect((await deadLetters.find('letter-1'))?.replayed?.effect).toBe('one');
  expect(await deadLetters.add(letter(1))).toBe(true);
  expect((await deadLetters.list({ limit: 10 })).deadLetters).toEqual([letter(1)]);
});

test('a notification that was never taken goes into its queue once, however often it is replayed', async () => {
  const notified: object[] = [];
  const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const replay = createReplays({
    deadLetters,
    log: quiet,
    sends: { know: () => Promise.reject(new Error('not asked')) },
    notify: async (about) => void notified.push(about),
    repeat: () => Promise.reject(new Error('not asked')),
    history: {
      blocks: () => Promise.reject(new Error('not asked')),
      blocksSince: () => Promise.reject(new Error('not asked')),
      write: () => Promise.reject(new Error('not asked')),
      amendments: () => Promise.reject(new Error('not asked')),
    },
  });
  await deadLetters.add(letter(3, 'unnotified'));
  await replay('letter-3');
  await replay('letter-3');
  expect(notified).toEqual([{ user: 'bob', head: 3 }]);
});
