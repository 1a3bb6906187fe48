import { DatabaseSync } from 'node:sqlite';
import type { Fault, Ground, Stage } from '../stage.ts';
import { endRedis, startRedis, step } from './steps.ts';

const mongoOnly = ({ store }: Ground): string | null => (store === 'mongodb' ? null : 'needs --store mongodb');

/** Nobody can write the history until the function it returns is called; with MongoDB nobody can reach it either. */
function takeAway({ cluster }: Stage): () => void {
  if (cluster.historyFile === null) {
    for (const proxy of cluster.toHistory) proxy.blackhole();
    return () => cluster.toHistory.forEach((proxy) => proxy.pass());
  }
  const database = new DatabaseSync(cluster.historyFile, { timeout: 10_000 });
  database.exec('BEGIN EXCLUSIVE');
  return () => {
    database.exec('ROLLBACK');
    database.close();
  };
}

/** The history is away, slow, or changes hands. Sends must go on without it; openings must wait for it. */
export const historyFaults: Fault[] = [
  {
    name: 'F14',
    does: 'the primary of three MongoDB nodes is killed and comes back',
    group: 'restarts',
    loss: 'none',
    needs: { mongoNodes: 3 },
    cannot: mongoOnly,
    plan(random) {
      let node = 0;
      return [
        step(0, 'kill -9 of the primary of MongoDB', async ({ cluster }) => {
          node = await cluster.mongo!.primary();
          await cluster.mongo!.kill(node);
        }),
        step(random.between(4000, 9000), 'start it', ({ cluster }) => cluster.mongo!.start(node)),
      ];
    },
  },
  {
    name: 'F14b',
    does: 'MongoDB is killed with all its nodes and comes back',
    group: 'restarts',
    loss: 'none',
    cannot: mongoOnly,
    plan: (random) => [
      step(0, 'kill -9 of MongoDB', ({ cluster }) => cluster.mongo!.kill(0)),
      step(random.between(2000, 8000), 'start it', ({ cluster }) => cluster.mongo!.start(0)),
    ],
  },
  {
    name: 'F15',
    does: 'the history is away for 20 s',
    group: 'restarts',
    loss: 'none',
    plan(_, { fast }) {
      let giveBack = (): void => {};
      return [
        step(0, 'take the history away', (stage) => void (giveBack = takeAway(stage))),
        step(fast ? 6000 : 20_000, 'give it back', () => giveBack()),
      ];
    },
  },
  {
    name: 'F16',
    does: 'MongoDB answers 2 s late',
    group: 'network',
    loss: 'none',
    cannot: mongoOnly,
    plan: (_, { fast }) => [
      step(0, 'delay MongoDB by 2 s', ({ cluster }) => cluster.toHistory.forEach((proxy) => proxy.delay(1000, 200))),
      step(fast ? 6000 : 15_000, 'pass', ({ cluster }) => cluster.toHistory.forEach((proxy) => proxy.pass())),
    ],
  },
  {
    name: 'F42',
    does: 'the history is away while Redis restarts: nothing may be opened without it',
    group: 'restarts',
    loss: 'none',
    plan(random, { fast }) {
      let giveBack = (): void => {};
      const awayMs = fast ? 5000 : 12_000;
      return [
        step(0, 'take the history away', (stage) => void (giveBack = takeAway(stage))),
        step(500, 'SIGTERM Redis', (stage) => endRedis(stage, 'SIGTERM')),
        step(500 + random.between(100, 1000), 'start Redis', startRedis),
        step(awayMs, 'give the history back', (stage) => {
          giveBack();
          stage.measure('accepted');
        }),
      ];
    },
  },
  {
    name: 'F42b',
    does: 'MongoDB answers 1 to 2.5 s late while Redis restarts',
    group: 'restarts',
    loss: 'none',
    cannot: mongoOnly,
    plan: (random) => [
      step(0, 'delay MongoDB', ({ cluster }) => cluster.toHistory.forEach((proxy) => proxy.delay(500, 750))),
      step(500, 'SIGTERM Redis', (stage) => endRedis(stage, 'SIGTERM')),
      step(500 + random.between(100, 1000), 'start Redis', async (stage) => {
        await startRedis(stage);
        stage.measure('accepted');
      }),
      step(10_000, 'pass', ({ cluster }) => cluster.toHistory.forEach((proxy) => proxy.pass())),
    ],
  },
];
