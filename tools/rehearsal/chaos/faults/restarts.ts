import { setTimeout as pause } from 'node:timers/promises';
import type { Fault } from '../stage.ts';
import { endRedis, repeated, startRedis, step, tryCommand } from './steps.ts';

/** Redis ends, stands still or forgets what it can do without, and keeps its state. The epoch must never change. */
export const restartFaults: Fault[] = [
  {
    name: 'F6',
    does: 'kill -9 of Redis, which comes back with its file',
    group: 'restarts',
    loss: 'none',
    plan: (random, { fast }) =>
      Array.from({ length: fast ? 1 : 3 }, (_, index) => [
        step(index * 6000, 'kill -9 Redis', (stage) => endRedis(stage, 'SIGKILL')),
        step(index * 6000 + random.between(100, 2000), 'start Redis', async (stage) => {
          await startRedis(stage);
          stage.measure('accepted');
        }),
      ]).flat(),
  },
  {
    name: 'F9',
    does: 'Redis stands still with its connections open',
    group: 'restarts',
    loss: 'none',
    plan: (random, { fast }) =>
      (fast ? [5000] : [5000, 30_000]).flatMap((longMs, index) => {
        const atMs = index * 10_000;
        return [
          step(atMs, 'SIGSTOP Redis', ({ cluster, note }) => {
            note({ type: 'process', process: cluster.redis.primary.child.name, did: 'paused' });
            cluster.redis.primary.child.pause();
          }),
          step(atMs + longMs + random.between(0, 500), 'SIGCONT Redis', ({ cluster, note, measure }) => {
            cluster.redis.primary.child.resume();
            note({ type: 'process', process: cluster.redis.primary.child.name, did: 'resumed' });
            measure('accepted');
          }),
        ];
      }),
  },
  {
    name: 'F10',
    does: 'Redis is away for 20 s',
    group: 'restarts',
    loss: 'none',
    plan: (_, { fast }) => [
      step(0, 'SIGTERM Redis', (stage) => endRedis(stage, 'SIGTERM')),
      step(fast ? 8000 : 20_000, 'start Redis', async (stage) => {
        await startRedis(stage);
        stage.measure('accepted');
      }),
    ],
  },
  {
    name: 'F34',
    does: 'somebody deletes the consumers of the groups while they work',
    group: 'restarts',
    loss: 'none',
    plan: (random) =>
      repeated(0, 10_000, 1000, 'XGROUP DELCONSUMER in one partition', async (stage) => {
        const [partition, group] = [random.between(0, 3), random.pick(['inbox', 'history'])];
        await tryCommand(stage, 'XGROUP', 'DELCONSUMER', `rst:{p${partition}}:messages`, group, group);
      }),
  },
  {
    name: 'F35',
    does: 'SCRIPT FLUSH and CLIENT KILL TYPE normal each second',
    group: 'restarts',
    loss: 'none',
    plan: () =>
      repeated(0, 10_000, 1000, 'SCRIPT FLUSH, CLIENT KILL TYPE normal', async (stage) => {
        await tryCommand(stage, 'SCRIPT', 'FLUSH');
        await tryCommand(stage, 'CLIENT', 'KILL', 'TYPE', 'normal');
      }),
  },
  {
    name: 'F44',
    does: 'clean restarts of Redis under load: no false alarm',
    group: 'restarts',
    loss: 'none',
    plan: (random, { fast }) =>
      Array.from({ length: fast ? 20 : 200 }, (_, index) =>
        step(index * 1000, `SIGTERM and start of Redis, ${index + 1}`, async (stage) => {
          await endRedis(stage, 'SIGTERM');
          await startRedis(stage);
          stage.measure('accepted');
          // Some restarts come while processes are still opening, some after.
          await pause(random.between(0, 1500));
        }),
      ),
  },
];
