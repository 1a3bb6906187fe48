import { randomBytes } from 'node:crypto';
import { afterAll, expect, inject, test } from 'vitest';
import { isBelow } from '../../../shared/model/stream-ids.ts';
import { createFactReading } from '../../../shared/recovery/facts.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** A process that starts looks at a deployment that is at work. */

const redis = connectRedis(inject('redisUrl'), { protocol: 2 });
afterAll(() => redis.disconnect());

test('a stream that grows and is archived meanwhile does not look as if its end were lost', async () => {
  const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  const accept = async (): Promise<string> => (await redis.xadd(keys.messages(0), '*', 'r', '1', 't', '{}'))!;
  await accept();
  const history = {
    slots: async () => new Map<string, { gate: number; mark: number }>(),
    async progress() {
      // What is read from Redis at the same time is carried out before this.
      await redis.ping();
      return [{ partition: 0, streamId: await accept(), completeAt: 0 }];
    },
  };
  const readFacts = createFactReading(redis, keys, history, async () => []);
  // Redis has the script from now on, so the next call of it is carried out at once.
  await readFacts(1, 'here', 'epoch', false);
  const { facts } = await readFacts(2, 'here', 'epoch', false);
  const [archived, last] = [facts.history.archived.get('p0')!, facts.redis.slots.get('p0')!.lastId!];
  expect(isBelow(last, archived), `${archived} is archived, and the stream ends at ${last}`).toBe(false);
});
