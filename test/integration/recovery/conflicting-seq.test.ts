import { randomBytes } from 'node:crypto';
import { afterAll, expect, inject, test } from 'vitest';
import { readEntry } from '../../../shared/model/entry.ts';
import { createMetrics } from '../../../shared/process/metrics.ts';
import { createDeadLetters } from '../../../shared/redis/dead-letters.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { createDeadLetterWriter } from '../../../workers/dead-letter-writer.ts';
import { createFanout } from '../../../workers/fanout/fanout.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';

const redis = connectRedis(inject('redisUrl'), { protocol: 2 });
afterAll(() => redis.disconnect());

test('a message whose seq the inbox holds for another becomes one dead letter, and the first stays', async () => {
  const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  await openSlot(redis, keys.shardSlot(0));
  const deadLetters = createDeadLetters(redis, keys);
  const fanout = createFanout({
    evidence: { appended: () => undefined },
    passing: { of: async () => () => false },
    outdated: { of: () => null },
    pace: { took: () => undefined },
    redis,
    keys,
    log: quiet,
    closed: () => undefined,
    inboxMaxEntries: 100,
    notifyAfterMs: () => 0,
    bury: createDeadLetterWriter(deadLetters, quiet, createMetrics('test')),
    founders: () => {
      throw new Error('not asked');
    },
    recipients: {
      of: async () => [
        { user: 'alice', joined: 0 },
        { user: 'bob', joined: 0 },
      ],
      ofAmendment: async () => ({ getting: [], former: [] }),
      quiet: async () => [],
      seeing: async () => [],
    },
  });
  const entry = (streamId: string) =>
    readEntry(streamId, [
      'r',
      '1 message c 1 0 1 alice - normal alice,bob -',
      't',
      '"sender":"alice","clientId":"x","kind":"text","body":1,"class":"normal"}',
    ]);

  await fanout.handle(0, [entry('1-0')], false, 'e');
  expect(await fanout.handle(0, [entry('2-0')], false, 'e')).toMatchObject({ settle: ['2-0'] });

  const inbox = await redis.xrange(keys.inbox('bob'), '-', '+');
  expect(inbox.map(([, [, text]]) => JSON.parse(text!).id)).toEqual(['0-1-0']);
  const { deadLetters: letters, counts } = await deadLetters.list({ limit: 10 });
  expect(letters).toMatchObject([{ id: 'inbox-0-2-0', reason: 'conflict', subject: { conversation: 'c', seq: 1 } }]);
  expect(counts.conflict).toBe(1);
});
