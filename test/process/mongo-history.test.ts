import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { openMongoStore } from '../../shared/history/mongo/store.ts';
import { startCluster } from '../../tools/harness/local-cluster.ts';
import { findMongod } from '../../tools/harness/mongod.ts';
import { startReplicaSet } from '../../tools/harness/replica-set.ts';
import { connectDevice } from '../../tools/rehearsal/device/device.ts';
import { mongoServer, withDatabase } from '../support/mongo-server.ts';
import { clean, startTraffic } from './traffic.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const fresh = (url: string): string => withDatabase(url, `restante_${randomBytes(6).toString('hex')}`);

const server = await mongoServer();

if ('skipped' in server) {
  test('history in MongoDB', ({ skip }) => skip(server.skipped));
} else {
  describe(`history in MongoDB, ${server.name}`, () => {
    afterAll(() => server.stop());

    test('has everything that was accepted while the archive was killed', async () => {
      const cluster = await startCluster({ env: { HISTORY_URL: fresh(server.url) } });
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

    test('a spike is rehearsed on it, in an empty database only', async () => {
      const url = fresh(server.url);
      const rehearse = () =>
        promisify(execFile)(
          process.execPath,
          [
            'cli/main.ts',
            'surge',
            'rehearse',
            '--rate',
            '20',
            '--factor',
            '5',
            '--calm',
            '2',
            '--spike',
            '2',
            '--history',
            url,
            '--json',
          ],
          { cwd: root, timeout: 80_000 },
        );
      const report = JSON.parse((await rehearse()).stdout.trim().split('\n').at(-1)!) as {
        accepted: number;
        lost: number;
        bytesPerMessage: { plain: number };
      };
      expect(report.lost).toBe(0);
      expect(report.accepted).toBeGreaterThan(100);
      expect(report.bytesPerMessage.plain).toBeGreaterThan(50);
      await expect(rehearse()).rejects.toMatchObject({
        stderr: expect.stringContaining('must name an empty database'),
      });
    }, 120_000);
  });
}

const mongod = await findMongod();

if ('missing' in mongod) {
  test('history in a MongoDB that fails', ({ skip }) => skip(mongod.missing));
} else {
  // Each waits for its own servers for most of its time.
  describe.concurrent(`history in a MongoDB that fails, ${mongod.from}`, () => {
    test('a first start on a server that stands still for 2.5 s at a time loses nothing', async () => {
      const set = await startReplicaSet(mongod.path, 1);
      const node = set.nodes[0]!;
      let isOver = false;
      const standing = (async () => {
        for (const end = performance.now() + 25_000; !isOver && performance.now() < end;) {
          node.pause();
          // Time itself is tested: longer than a command may take.
          await pause(2500);
          node.resume();
          await pause(100);
        }
      })();
      try {
        const url = fresh(set.url);
        const cluster = await startCluster({ web: 2, env: { HISTORY_URL: url }, readyWithinMs: 150_000 });
        try {
          isOver = true;
          await standing;
          const device = connectDevice({ url: cluster.url, token: () => cluster.token('alice'), device: 'phone' });
          const { message } = await device.send({ to: 'bob', kind: 'text', body: 'hello' });
          expect(message.seq).toBe(1);
          device.close();
          const store = openMongoStore(url);
          expect(await store.deployment()).toMatchObject({ generation: 0, losses: [] });
          await store.close();
          for (const name of cluster.names) expect(await cluster.child(name).output()).not.toContain('"state_lost"');
        } finally {
          await cluster.stop();
        }
      } finally {
        isOver = true;
        await standing;
        await set.stop();
      }
    }, 240_000);

    test('whose primary is killed, deposed and paused has everything that was accepted, and no hole', async () => {
      const set = await startReplicaSet(mongod.path, 3);
      try {
        const url = fresh(set.url);
        const cluster = await startCluster({ env: { HISTORY_URL: url } });
        try {
          const traffic = await startTraffic(cluster, 4, { restMs: 5 });
          await traffic.more(100);
          await set.kill(await set.primary());
          await traffic.more(100);
          await set.heal();
          await set.command(await set.primary(), { replSetStepDown: 5 }).catch(() => undefined);
          await traffic.more(100);
          const silent = await set.primary();
          set.nodes[silent]!.pause();
          await traffic.more(100);
          await set.heal();
          await traffic.more(100);
          expect(await traffic.end()).toMatchObject(clean);
          for (const name of cluster.names)
            expect(await cluster.child(name).output()).not.toMatch(/"history_hole"|"state_lost"|_buried"/);
        } finally {
          await cluster.stop();
        }
      } finally {
        await set.stop();
      }
    }, 240_000);
  });
}
