import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, test, vi } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { Logger } from '../../../shared/process/log.ts';
import { createDeployment } from '../../../shared/recovery/deployment.ts';
import { whenReady } from '../../../shared/redis/connection/connect.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/**
 * A process that starts after a loss was found. What others missed is of the epoch that has ended, although the report
 * of a slow one is still there.
 */
test('a process that starts after a loss joins what is open', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'restante-test-'));
  const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 2, 4);
  const store = openSqliteStore(join(dir, 'history.db'));
  const losses: object[] = [];
  const nothing = (): void => undefined;
  const log: Logger = { debug: nothing, info: nothing, warn: nothing, error: (fields) => void losses.push(fields) };
  const connections = [1, 2, 3].map(() => connectRedis(inject('redisUrl')));
  await Promise.all(connections.map((redis) => whenReady(redis)));
  const [first, other, late] = connections.map((redis) =>
    createDeployment({
      redis,
      keys,
      history: store,
      process: { id: randomBytes(6).toString('hex'), role: 'test' },
      keepOnly: nothing,
      log,
      fail: (thrown) => {
        throw thrown;
      },
    }),
  ) as [Deployment, Deployment, Deployment];
  try {
    await Promise.all([first.open(), other.open()]);
    const { epoch } = first.current;
    // It was told of a head that the inbox does not reach.
    first.doubt({ user: 'alice', epoch, head: 7 });
    await vi.waitFor(
      () => {
        for (const one of [first, other]) expect([one.current.epoch === epoch, one.isOpen]).toEqual([false, true]);
      },
      { timeout: 20_000 },
    );
    expect(losses).toHaveLength(1);
    const after = await connections[0]!.hgetall(keys.deployment);
    // One of them compared what it had seen before the loss was found, and its report arrived after the opening.
    const report = { partitions: {}, lost: ['i3'], opening: Number(after['gate']), run: after['run'] };
    await connections[0]!.hset(keys.reports, first.registration.id, JSON.stringify(report));
    await late.open();
    expect(late.current.epoch).toBe(first.current.epoch);
    expect(await connections[0]!.hgetall(keys.deployment)).toEqual(after);
    expect([first.isOpen, other.isOpen, losses.length]).toEqual([true, true, 1]);
  } finally {
    await Promise.all([first, other, late].map((one) => one.leave()));
    for (const redis of connections) redis.disconnect();
    await store.close();
    await rm(dir, { recursive: true });
  }
}, 60_000);

type Deployment = ReturnType<typeof createDeployment>;
