import type { Random } from '../../irc/random.ts';
import type { Fault, Step } from '../stage.ts';
import { endRedis, go, kill, namesOf, start, startRedis, step, stop, tryCommand } from './steps.ts';

/** One small harm of random kind that is over within 4 s. */
function harm(random: Random, atMs: number): Step[] {
  const name = `${random.pick(['web', 'fanout', 'archive'])}-${random.between(1, 2)}`;
  const lastsMs = random.between(200, 4000);
  const kinds: (() => Step[])[] = [
    () => [
      step(atMs, `kill -9 ${name}`, (stage) => kill(stage, name)),
      step(atMs + lastsMs, `start ${name}`, (stage) => {
        // The next steps wait until it is ready, and the end of a black hole may be one of them.
        stage.cluster.toRedis(name).pass();
        return start(stage, name);
      }),
    ],
    () => [
      step(atMs, `SIGSTOP ${name}`, (stage) => stop(stage, name)),
      step(atMs + lastsMs, `SIGCONT ${name}`, (stage) => go(stage, name)),
    ],
    () => [
      step(atMs, `lose two replies of scripts of ${name}`, ({ cluster }) =>
        cluster.toRedis(name).cutAfterRequest('evalsha', 2),
      ),
    ],
    () => [
      step(atMs, `black hole between ${name} and Redis`, ({ cluster }) => cluster.toRedis(name).blackhole()),
      step(atMs + lastsMs, `pass ${name}`, ({ cluster }) => cluster.toRedis(name).pass()),
    ],
    () => [
      step(atMs, 'SCRIPT FLUSH, CLIENT KILL TYPE normal', async (stage) => {
        await tryCommand(stage, 'SCRIPT', 'FLUSH');
        await tryCommand(stage, 'CLIENT', 'KILL', 'TYPE', 'normal');
      }),
    ],
    () => [
      step(atMs, 'kill -9 Redis, start it', async (stage) => {
        // A process may be dead at this moment, and with it what it alone had seen.
        stage.mayLose(null);
        await endRedis(stage, 'SIGKILL');
        await startRedis(stage);
      }),
    ],
  ];
  return random.pick(kinds)();
}

export const combinedFaults: Fault[] = [
  {
    name: 'F40',
    does: 'kills, pauses, lost replies, cuts and restarts of Redis at random, several at a time',
    group: 'combined',
    loss: 'possible',
    plan: (random, { fast }) =>
      Array.from({ length: fast ? 8 : 40 }, (_, index) => harm(random, index * 1000 + random.between(0, 1500))).flat(),
  },
  {
    name: 'F40b',
    does: 'Redis is killed and comes back while every process dies once',
    group: 'combined',
    loss: 'possible',
    plan: (random) => [
      step(0, 'kill -9 of Redis and of a random half of the processes', async (stage) => {
        stage.mayLose(null);
        const names = namesOf(stage, 'web', 'fanout', 'archive', 'jobs').filter(() => random.chance(0.5));
        await Promise.all([endRedis(stage, 'SIGKILL'), ...names.map((name) => kill(stage, name))]);
      }),
      step(1000, 'start everything', async (stage) => {
        await startRedis(stage);
        await Promise.all(namesOf(stage, 'web', 'fanout', 'archive', 'jobs').map((name) => start(stage, name)));
        stage.measure('accepted');
      }),
    ],
  },
];
