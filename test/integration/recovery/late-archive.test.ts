import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { openMongoStore } from '../../../shared/history/mongo/store.ts';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { HistoryStore } from '../../../shared/history/store.ts';
import { readHead } from '../../../shared/model/message-text.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { type HeldArchive, heldWithMongo, heldWithSqlite } from '../../support/held-archive.ts';
import { mongoServer, withDatabase } from '../../support/mongo-server.ts';
import { patiently, sendPatiently } from '../../support/patiently.ts';
import { sendMany } from '../../support/sending.ts';

/**
 * An archive that has read a batch and stores it only after Redis has lost it. Meanwhile the senders were told of the
 * loss, and have sent again.
 */

const jump = 1_000_000;
const mongo = await mongoServer();

let cluster: Cluster;
let archive: HeldArchive;
afterEach(async () => {
  archive.release();
  await cluster.stop();
  await archive.remove();
});

/** What the archive has read and not settled, over all partitions. */
async function inHand(): Promise<number> {
  const { redis, keys } = cluster;
  const counts = await Promise.all(
    Array.from({ length: keys.partitions }, async (_, partition) => {
      const [count] = (await redis.xpending(keys.messages(partition), 'history')) as [number];
      return count;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function sentAgainAfterALoss(open: () => HistoryStore): Promise<void> {
  const alice = await cluster.connect('alice');
  await sendMany(alice, 'bob', 1, 'kept');
  await cluster.settled();
  archive.hold();
  const first = await sendPatiently(alice, 'once', { to: 'bob' });
  expect(first.message.seq).toBe(2);
  await vi.waitFor(
    async () => {
      expect(await inHand()).toBe(1);
      expect(archive.isHeld).toBe(true);
    },
    { timeout: 10_000, interval: 20 },
  );

  await cluster.wipe();
  alice.send({ type: 'sync', after: 0 });
  await alice.closed;
  const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch });
  expect(again.welcome).toMatchObject({ reset: true, lostSince: expect.any(Number) });
  const { message } = await sendPatiently(again, 'once', { to: 'bob' });
  expect(message.seq).toBeGreaterThan(jump);
  const { conversation } = message;

  archive.release();
  await cluster.settled();
  const { messages } = await again.request({ type: 'history', conversation, after: 0, limit: 100 }, 'history');
  expect(messages.map(({ seq, clientId }) => [seq, clientId])).toEqual([
    [1, 'kept-0'],
    [message.seq, 'once'],
  ]);
  // In history too, whatever Redis takes for skipped.
  const history = open();
  const blocks = await history.blocks(conversation, 1, 9 * jump, 'oldest', 100);
  await history.close();
  expect(blocks.flatMap(({ texts }) => texts.map((text) => readHead(text).seq))).toEqual([1, message.seq]);
  // A third time it gets this answer.
  const third = await sendPatiently(again, 'once', { to: 'bob' });
  expect([third.message.seq, third.duplicate]).toEqual([message.seq, true]);
  expect(await cluster.log('archive-1')).toContainEqual(
    expect.objectContaining({ event: 'consumer_failed', reason: expect.stringMatching(/epoch \S+, which is over/) }),
  );
}

describe('a batch that comes too late is refused, and what was sent again is there once', () => {
  test('with SQLite, and an archive that stands still', { timeout: 60_000 }, async () => {
    archive = heldWithSqlite();
    cluster = await startCluster({ envOf: { archive: archive.env } });
    await sentAgainAfterALoss(() => openSqliteStore(join(cluster.dir, 'history.db'), { readOnly: true }));
  });

  if ('skipped' in mongo) {
    test('with MongoDB', ({ skip }) => skip(mongo.skipped));
  } else {
    afterAll(() => mongo.stop());
    test('with MongoDB, and an archive that does not get through to it', { timeout: 90_000 }, async () => {
      const url = withDatabase(mongo.url, `restante_${randomBytes(6).toString('hex')}`);
      archive = await heldWithMongo(url);
      cluster = await startCluster({ env: { HISTORY_URL: url }, envOf: { archive: archive.env } });
      await sentAgainAfterALoss(() => openMongoStore(url));
    });
  }
});
