import type { Random } from '../../irc/random.ts';
import type { Fault, Ground, Step } from '../stage.ts';
import { go, kill, start, step, stop, terminate } from './steps.ts';

/** Kills of one process of a line at a time, each for a moment; the other one of its line goes on. */
function kills(line: string, random: Random, times: number, overMs: number): Step[] {
  return Array.from({ length: times }, (_, index) => {
    const atMs = (index * overMs) / times + random.between(0, 500);
    const name = `${line}-${random.between(1, 2)}`;
    const downMs = random.between(100, Math.min(1500, overMs / times));
    return [
      step(atMs, `kill -9 ${name}`, async (stage) => {
        await kill(stage, name);
        stage.measure('delivered');
      }),
      step(atMs + downMs, `start ${name}`, (stage) => start(stage, name)),
    ];
  }).flat();
}

const times = ({ fast }: Ground, full: number, short: number): number => (fast ? short : full);

export const processFaults: Fault[] = [
  { name: 'F0', does: 'nothing: the control', group: 'processes', loss: 'none', plan: () => [] },
  {
    name: 'F1',
    does: 'kill -9 of one gateway, then of the other',
    group: 'processes',
    loss: 'none',
    plan(random) {
      const first = random.between(1, 2);
      return [first, 3 - first].flatMap((number, index) => {
        const name = `web-${number}`;
        const atMs = index * 5000;
        return [
          step(atMs, `kill -9 ${name}`, async (stage) => {
            await kill(stage, name);
            stage.measure('accepted');
          }),
          step(atMs + random.between(200, 2000), `start ${name}`, (stage) => start(stage, name)),
        ];
      });
    },
  },
  {
    name: 'F2',
    does: 'kill -9 of fanouts in the middle of batches',
    group: 'processes',
    loss: 'none',
    plan: (random, ground) => kills('fanout', random, times(ground, 8, 3), ground.fast ? 5000 : 15_000),
  },
  {
    name: 'F3',
    does: 'kill -9 of archives between the write and its acknowledgement',
    group: 'processes',
    loss: 'none',
    plan: (random, ground) => kills('archive', random, times(ground, 8, 3), ground.fast ? 5000 : 15_000),
  },
  {
    name: 'F5',
    does: 'a fanout and an archive stand still for longer than their leases, then go on',
    group: 'processes',
    loss: 'none',
    plan(random, ground) {
      const longMs = ground.fast ? 6000 : 25_000;
      return ['fanout', 'archive'].flatMap((line) => {
        const name = `${line}-${random.between(1, 2)}`;
        return [
          step(random.between(0, 1000), `SIGSTOP ${name}`, (stage) => stop(stage, name)),
          step(longMs + random.between(0, 1000), `SIGCONT ${name}`, (stage) => go(stage, name)),
        ];
      });
    },
  },
  {
    name: 'F5w',
    does: 'a gateway stands still for longer than a push may take, then goes on',
    group: 'processes',
    loss: 'none',
    plan(random, ground) {
      const name = `web-${random.between(1, 2)}`;
      return [
        step(0, `SIGSTOP ${name}`, (stage) => stop(stage, name)),
        step(ground.fast ? 6000 : 22_000, `SIGCONT ${name}`, (stage) => go(stage, name)),
      ];
    },
  },
  {
    name: 'F33',
    does: 'kill -9 of jobs, which trims and merges, again and again',
    group: 'processes',
    loss: 'none',
    plan: (random, ground) =>
      Array.from({ length: times(ground, 6, 2) }, (_, index) => {
        const atMs = index * 2500;
        return [
          step(atMs + random.between(0, 800), 'kill -9 jobs-1', (stage) => kill(stage, 'jobs-1')),
          step(atMs + 1000, 'start jobs-1', (stage) => start(stage, 'jobs-1')),
        ];
      }).flat(),
  },
  {
    name: 'F36',
    does: 'of two jobs the one at work stands still, then goes on beside its successor',
    group: 'processes',
    loss: 'none',
    needs: { counts: { jobs: 2 } },
    plan: (random, ground) => {
      const name = `jobs-${random.between(1, 2)}`;
      return [
        step(0, `SIGSTOP ${name}`, (stage) => stop(stage, name)),
        step(ground.fast ? 6000 : 40_000, `SIGCONT ${name}`, (stage) => go(stage, name)),
      ];
    },
  },
  {
    name: 'F4',
    does: 'rolling restart of every process with SIGTERM',
    group: 'restarts',
    loss: 'none',
    plan: () =>
      ['web-1', 'web-2', 'fanout-1', 'fanout-2', 'archive-1', 'archive-2', 'jobs-1'].flatMap((name, index) => [
        step(index * 2000, `SIGTERM ${name}`, async (stage) => {
          const begin = performance.now();
          await terminate(stage, name);
          const took = performance.now() - begin;
          if (took > 8000) stage.violation(`${name} took ${Math.round(took)} ms to end, 8 s are allowed`);
        }),
        step(index * 2000 + 100, `start ${name}`, (stage) => start(stage, name)),
      ]),
  },
];
