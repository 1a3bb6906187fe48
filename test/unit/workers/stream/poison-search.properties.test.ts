import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createKeys } from '../../../../shared/redis/keys.ts';
import { createPoisonSearch } from '../../../../workers/stream/poison-search.ts';
import { alwaysInTime } from '../../../support/properties.ts';

/** The one hash that the search keeps. */
function playedRedis(): Redis {
  let hash: Record<string, string> = {};
  return {
    hgetall: async () => ({ ...hash }),
    hset: async (_: string, fields: Record<string, string | number>) => {
      for (const [field, value] of Object.entries(fields)) hash[field] = String(value);
    },
    del: async () => void (hash = {}),
  } as unknown as Redis;
}

const keys = createKeys('', 1, 1);

test('exactly the poisonous entries are found, and every other one is handled once', async () => {
  await alwaysInTime(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 20 }),
      fc.uniqueArray(fc.nat(19), { maxLength: 4 }),
      fc.integer({ min: 1, max: 16 }),
      fc.array(fc.constantFrom('works', 'works', 'dies', 'away'), { maxLength: 12 }),
      async (entries, poison, most, mishaps) => {
        const redis = playedRedis();
        const begin = (): ReturnType<typeof createPoisonSearch> => createPoisonSearch(redis, keys, 'inbox', 0, most);
        let search = begin();
        const handled: number[] = [];
        const buried: number[] = [];
        let next = 0;
        let deathsOf = 0;
        const mostTurns = 60 * entries + mishaps.length;
        for (let turn = 0; next < entries; turn++) {
          // However few entries are left, each costs a bounded number of turns.
          if (turn > mostTurns) throw new Error('the search does not end');
          const size = await search.begin(`${next + 1}-0`);
          if (size > most) throw new Error(`${size} entries at once`);
          if (size === 0) {
            buried.push(next);
            next += 1;
            deathsOf = 0;
            await search.succeeded();
            continue;
          }
          const batch = Array.from({ length: Math.min(size, entries - next) }, (_, i) => next + i);
          const mishap = mishaps.shift();
          if (mishap === 'dies' && deathsOf < 1) {
            // Another process goes on. It cannot know whether the entry was to blame.
            deathsOf += 1;
            search = begin();
          } else if (mishap === 'away') await search.failed(false);
          else if (batch.some((entry) => poison.includes(entry))) await search.failed(true);
          else {
            handled.push(...batch);
            next += batch.length;
            deathsOf = 0;
            await search.succeeded();
          }
        }
        const bad = poison.filter((entry) => entry < entries).sort((a, b) => a - b);
        expect(buried).toEqual(bad);
        expect(handled).toEqual(Array.from({ length: entries }, (_, i) => i).filter((entry) => !bad.includes(entry)));
      },
    ),
  );
});
