import { cp, rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { copyFiles, removeFiles } from '../redis-files.ts';
import type { Fault, Ground, Stage } from '../stage.ts';
import { endRedis, namesOf, start, startRedis, step, terminate, tryCommand } from './steps.ts';

const sqliteOnly = ({ store }: Ground): string | null =>
  store === 'sqlite' ? null : 'the copy of a history is made of an SQLite file';

/** How long a process may take until it has refused to start (ms). */
const refusedWithinMs = 20_000;
const files = ['', '-wal', '-shm'];

const all = (stage: Stage): string[] => namesOf(stage, 'web', 'fanout', 'archive', 'jobs');

/** Redis or the history is there, and of another time. */
export const wipeFaults: Fault[] = [
  {
    name: 'F8a',
    does: 'FLUSHALL',
    group: 'wipes',
    loss: 'certain',
    plan: () => [
      step(0, 'FLUSHALL', async (stage) => {
        stage.mayLose('durable', true);
        await tryCommand(stage, 'FLUSHALL');
        stage.measure('accepted');
      }),
    ],
  },
  {
    name: 'F8b',
    does: 'Redis comes back with an empty directory',
    group: 'wipes',
    loss: 'certain',
    plan: (random) => [
      step(0, 'kill -9 Redis, remove its files', async (stage) => {
        stage.mayLose('durable', true);
        await endRedis(stage, 'SIGKILL');
        await removeFiles(stage.cluster.redis.primary.dir);
      }),
      step(random.between(100, 1500), 'start Redis', async (stage) => {
        await startRedis(stage);
        stage.measure('accepted');
      }),
    ],
  },
  {
    name: 'F39a',
    does: 'Redis comes back with a copy of its files that is some seconds old',
    group: 'wipes',
    loss: 'certain',
    plan(random) {
      let restore: () => Promise<void> = async () => {};
      const oldMs = random.between(2000, 6000);
      return [
        step(0, 'copy the files of Redis', async ({ cluster }) => {
          restore = await copyFiles(cluster.redis.primary.dir);
        }),
        step(oldMs, 'kill -9 Redis, restore the copy', async (stage) => {
          stage.mayLose('durable', true);
          await endRedis(stage, 'SIGKILL');
          await restore();
        }),
        step(oldMs + 500, 'start Redis', async (stage) => {
          await startRedis(stage);
          stage.measure('accepted');
        }),
      ];
    },
  },
  {
    name: 'F39b',
    does: 'a history older than Redis: processes must refuse to start until the right one is back',
    group: 'wipes',
    loss: 'none',
    cannot: sqliteOnly,
    plan() {
      let folder = '';
      return [
        step(0, 'SIGTERM of all, copy the history, start all', async (stage) => {
          const file = stage.cluster.historyFile!;
          folder = `${file}.copies`;
          await Promise.all(all(stage).map((name) => terminate(stage, name)));
          for (const ending of files)
            await cp(`${file}${ending}`, `${folder}/older${ending}`, { recursive: true }).catch(() => undefined);
          await Promise.all(all(stage).map((name) => start(stage, name)));
        }),
        step(5000, 'SIGTERM of all, put the older history in place, start a gateway and an archive', async (stage) => {
          const file = stage.cluster.historyFile!;
          await Promise.all(all(stage).map((name) => terminate(stage, name)));
          for (const ending of files) {
            await cp(`${file}${ending}`, `${folder}/newer${ending}`).catch(() => undefined);
            await rm(`${file}${ending}`, { force: true });
            await cp(`${folder}/older${ending}`, `${file}${ending}`).catch(() => undefined);
          }
          await Promise.all(
            ['web-1', 'archive-1'].map(async (name) => {
              const started = await Promise.race([
                stage.cluster.start(name).then(
                  () => true,
                  () => false,
                ),
                pause(refusedWithinMs, false),
              ]);
              if (started) stage.violation(`${name} serves with a history that is older than Redis`);
            }),
          );
        }),
        step(6000, 'put the right history back, start all', async (stage) => {
          const file = stage.cluster.historyFile!;
          await Promise.all(all(stage).map((name) => stage.cluster.end(name, 'SIGKILL')));
          for (const ending of files) {
            await rm(`${file}${ending}`, { force: true });
            await cp(`${folder}/newer${ending}`, `${file}${ending}`).catch(() => undefined);
          }
          await Promise.all(all(stage).map((name) => start(stage, name)));
          stage.measure('accepted');
        }),
      ];
    },
  },
];
