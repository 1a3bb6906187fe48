import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import { run } from '../../../shared/redis/scripts.ts';
import { edit, say } from '../../support/amending.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { apiOf, refusal } from '../../support/http-client.ts';

/** A deployment in which a process of an older version may still run: its number is below that of amendments. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
  await cluster.end('web-1');
  const db = new DatabaseSync(join(cluster.dir, 'history.db'));
  db.exec('UPDATE deployment SET formats = 2');
  db.close();
  await cluster.redis.hset(cluster.keys.deployment, 'formats', '2');
  await cluster.start('web-1');
});
afterAll(() => cluster.stop());

test('nothing is amended before every process reads amendments, and everything from then on', async () => {
  const user = cluster.user('alice');
  const alice = await cluster.connect(user, { mode: 'pull' });
  expect(alice.welcome.features).not.toContain('amend');
  const to = { to: cluster.user('bob') };
  const seq = await say(alice, to, 'one');
  const { conversation } = await alice.request({ type: 'history', ...to, limit: 1 }, 'history');
  const amend = { type: 'amend', ...to, seq, action: 'recall' };
  expect(await alice.request(amend, 'error')).toMatchObject({ code: 'bad_frame' });
  const api = apiOf(cluster, cluster.token(user));
  const path = `/conversations/${conversation}/messages/${seq}/amend`;
  expect(refusal(await api('POST', path, { action: 'recall' }))).toEqual([404, 'not_found']);
  expect((await api('GET', `/conversations/${conversation}/messages/${seq}`)).body['message']).toMatchObject({ seq });
  const types = await cluster.redis.xrange(cluster.keys.messages(cluster.keys.partitionOf(conversation)), '-', '+');
  expect(JSON.stringify(types)).not.toContain('1 amended');

  const history = openSqliteStore(join(cluster.dir, 'history.db'));
  const deployment = (await history.deployment())!;
  await history.saveDeployment(deployment.epoch, { ...deployment, formats: 3 });
  await history.close();
  await run(cluster.redis, 'raise-formats', [cluster.keys.deployment], [deployment.epoch, 3]);
  await expect
    .poll(async () => (await cluster.connect(user, { device: 'other', mode: 'pull' })).welcome.features, {
      timeout: 10_000,
    })
    .toContain('amend');
  // The connection of before may amend as well.
  expect(await edit(alice, to, seq, 'two')).toMatchObject({ version: 1 });
});
