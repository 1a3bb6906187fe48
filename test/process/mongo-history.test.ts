import { randomBytes } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { startCluster } from '../../cli/local-cluster.ts';
import { mongoServer, withDatabase } from '../support/mongo-server.ts';
import { clean, startTraffic } from './traffic.ts';

const server = await mongoServer();

if ('skipped' in server) {
  test('history in MongoDB', ({ skip }) => skip(server.skipped));
} else {
  afterAll(() => server.stop());

  test(`history in MongoDB (${server.name}) has everything that was accepted while the archive was killed`, async () => {
    const url = withDatabase(server.url, `restante_${randomBytes(6).toString('hex')}`);
    const cluster = await startCluster({ env: { HISTORY_URL: url } });
    try {
      const traffic = await startTraffic(cluster, 4);
      await traffic.more(200);
      await cluster.kill('archive');
      await cluster.start('archive');
      await traffic.more(200);
      expect(await traffic.end()).toMatchObject(clean);
    } finally {
      await cluster.stop();
    }
  }, 90_000);
}
