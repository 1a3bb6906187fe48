import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openCrowd, type Crowd } from '../crowd.ts';
import type { Fault, Stage } from '../stage.ts';
import { kill, start, step, tryCommand } from './steps.ts';

const filler = (disk: string): string => join(disk, 'filler');

/** Writes a file until the file system is full. */
function fillDisk({ disk }: Stage): void {
  const piece = Buffer.alloc(65_536);
  try {
    for (;;) writeFileSync(filler(disk!), piece, { flag: 'a' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

const freeDisk = ({ disk }: Stage): Promise<void> => rm(filler(disk!), { force: true });
const diskBytes = 64 * 1024 * 1024;

/** Limits of the machine and of Redis, poison, and clients that take more than their share. */
export const resourceFaults: Fault[] = [
  {
    name: 'F18',
    does: 'the disk of Redis is full',
    group: 'resources',
    loss: 'none',
    needs: { disk: { bytes: diskBytes, of: 'redis' }, redisArgs: ['--appendfsync', 'everysec'] },
    plan: (_, { fast }) => [
      step(0, 'fill the disk of Redis', fillDisk),
      step(fast ? 4000 : 10_000, 'free it', async (stage) => {
        await freeDisk(stage);
        stage.measure('accepted');
      }),
    ],
  },
  {
    name: 'F19',
    does: 'the disk of the history is full',
    group: 'resources',
    loss: 'none',
    needs: { disk: { bytes: diskBytes, of: 'history' } },
    cannot: ({ store }) => (store === 'sqlite' ? null : 'needs --store sqlite'),
    plan: (_, { fast }) => [
      step(0, 'fill the disk of the history', fillDisk),
      step(fast ? 4000 : 10_000, 'free it', freeDisk),
    ],
  },
  {
    name: 'F20',
    does: 'Redis is full (maxmemory)',
    group: 'resources',
    loss: 'none',
    plan: (_, { fast }) => [
      step(0, 'CONFIG SET maxmemory below what is used', (stage) =>
        tryCommand(stage, 'CONFIG', 'SET', 'maxmemory', '1mb').then(() => undefined),
      ),
      step(fast ? 4000 : 10_000, 'CONFIG SET maxmemory 0', async (stage) => {
        await tryCommand(stage, 'CONFIG', 'SET', 'maxmemory', 0);
        stage.measure('accepted');
      }),
    ],
  },
  {
    name: 'F27',
    does: 'clients that are sent much and read nothing',
    group: 'resources',
    loss: 'none',
    plan(_, { fast }) {
      let crowd: Crowd | null = null;
      return [
        step(0, `${fast ? 30 : 200} clients that do not read`, async ({ cluster }) => {
          crowd = await openCrowd(cluster, 'slow', fast ? 30 : 200);
          crowd.stopReading();
          await crowd.sendToEach(8, 8000);
        }),
        step(fast ? 5000 : 15_000, 'they go', () => crowd?.close()),
      ];
    },
  },
  {
    name: 'F28',
    does: 'a gateway is killed, and all its clients come to the other one at once',
    group: 'resources',
    loss: 'none',
    needs: { env: { MAX_UNAUTHENTICATED_PER_ADDRESS: '0' } },
    plan(_, { fast }) {
      const count = fast ? 300 : 5000;
      let crowd: Crowd | null = null;
      return [
        step(0, `${count} clients of web-1`, async ({ cluster }) => {
          crowd = await openCrowd(cluster, 'storm', count, cluster.urls[0]);
        }),
        step(2000, 'kill -9 web-1, all come to web-2', async (stage) => {
          await kill(stage, 'web-1');
          stage.measure('accepted');
          const missing = await crowd!.comeBack(stage.cluster.urls[1]!);
          if (missing > 0) stage.violation(`${missing} of ${count} clients did not get in again within 60 s`);
        }),
        step(4000, 'start web-1', (stage) => start(stage, 'web-1')),
        step(5000, 'they go', () => crowd?.close()),
      ];
    },
  },
  {
    name: 'F29',
    does: 'entries in the streams that nobody can process',
    group: 'resources',
    loss: 'none',
    plan: (random) =>
      [0, 1, 2].map((index) =>
        step(index * 1500, 'put poison into a stream', async (stage) => {
          const marker = `poison-${index}-${random.between(0, 1_000_000)}`;
          const route = [`9 message ${marker}`, `1 message ${marker}`, `1 nothing ${marker}`][index]!;
          await tryCommand(stage, 'XADD', `rst:{p${random.between(0, 3)}}:messages`, '*', 'r', route, 't', '{"');
          stage.note({ type: 'poison', marker });
        }),
      ),
  },
  {
    name: 'F30',
    does: 'inboxes hold 100 entries: what no longer fits is announced',
    group: 'resources',
    loss: 'none',
    needs: { env: { INBOX_MAX_ENTRIES: '100' } },
    plan: () => [step(15_000, 'inboxes overflow', () => undefined)],
  },
  {
    name: 'F38',
    does: 'a gateway and a fanout may open no more files',
    group: 'resources',
    loss: 'none',
    cannot: () => (process.platform === 'linux' ? null : 'prlimit is of Linux'),
    plan(_, { fast }) {
      const limit = ({ cluster }: Stage, files: string): void => {
        for (const name of ['web-1', 'fanout-1']) {
          const { pid } = cluster.child(name);
          if (pid !== undefined) execFileSync('prlimit', ['--pid', String(pid), `--nofile=${files}`]);
        }
      };
      return [
        step(0, 'prlimit --nofile=20 of web-1 and fanout-1, cut their connections', (stage) => {
          limit(stage, '20:');
          for (const proxy of stage.cluster.allToRedis) proxy.cut();
          stage.cluster.toGateway('web-1').cut();
        }),
        step(fast ? 4000 : 10_000, 'prlimit as before', (stage) => limit(stage, '1024:')),
      ];
    },
  },
];
