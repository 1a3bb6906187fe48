import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findClocks, type ShiftedClock } from '../../../tools/harness/shifted-clocks.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';

/** Whatever the clock of Redis does, a clientId sent again within DEDUPE_MINUTES gets the first answer again. */

const clocks = findClocks();
const [second, minute, hour] = [1000, 60_000, 3_600_000];

function uuidV7(at: number): string {
  const hex = at.toString(16).padStart(12, '0');
  const random = randomBytes(10).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${random.slice(0, 3)}-8${random.slice(3, 6)}-${random.slice(6, 18)}`;
}

describe.skipIf('reason' in clocks)('the clock of Redis is set', () => {
  let clock: ShiftedClock;
  let redis: RedisServer;
  let cluster: Cluster;
  beforeAll(async () => {
    if ('reason' in clocks) return;
    clock = clocks.create();
    redis = await startRedis(clock.env);
    cluster = await startCluster({ redisUrl: redis.url });
  });
  afterEach(() => clock.shift(0));
  afterAll(async () => {
    await cluster.stop();
    await redis.stop();
    clock.remove();
  });

  const sender = (): ((clientId: string) => Promise<{ status: number; seq: number }>) => {
    const [user, to] = [cluster.user('sender'), cluster.user('to')];
    return async (clientId) => {
      const { status, body } = await cluster.http(cluster.token(user), 'POST', '/messages', {
        to,
        clientId,
        kind: 'text',
        body: 1,
      });
      return { status, seq: (body as { message: { seq: number } }).message.seq };
    };
  };

  const ids = [
    ['a plain clientId', randomUUID],
    ['a UUIDv7', () => uuidV7(Date.now())],
  ] as const;
  const steps: [string, number[]][] = [
    ['back by 65 minutes', [-65 * minute]],
    ['ahead by 3 hours', [3 * hour]],
    ['ahead by 3 hours for a moment', [3 * hour, 0]],
    ['ahead by 3 days and then back by one', [72 * hour, -24 * hour]],
    ['ahead and back ten times', Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 2 * hour : 0))],
    ['ahead by an hour ten times', Array.from({ length: 10 }, (_, i) => (i + 1) * hour)],
  ];
  describe.each(ids)('%s', (_name, create) => {
    test.each(steps)('%s', async (_step, shifts) => {
      const send = sender();
      const clientId = create();
      expect(await send(clientId)).toEqual({ status: 201, seq: 1 });
      for (const [i, shift] of shifts.entries()) {
        clock.shift(shift);
        // Several gateways' worth of traffic at each time.
        for (let other = 0; other < 3; other++) await send(`other-${i}-${other}`);
        expect(await send(clientId)).toEqual({ status: 200, seq: 1 });
      }
    });

    test('back by 2.5 s, half a second after a full hour', async () => {
      const send = sender();
      const clientId = create();
      const past = Date.now() % hour;
      clock.shift(hour - past + second / 2);
      expect(await send(clientId)).toEqual({ status: 201, seq: 1 });
      clock.shift(hour - past - 2 * second);
      expect(await send(clientId)).toEqual({ status: 200, seq: 1 });
      await send('other');
      expect(await send(clientId)).toEqual({ status: 200, seq: 1 });
    });
  });
});
