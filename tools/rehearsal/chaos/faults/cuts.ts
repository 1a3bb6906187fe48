import type { Random } from '../../irc/random.ts';
import { bytesSince, cutTail, type Mark, markEnd } from '../redis-files.ts';
import type { Fault, Ground, Stage, Step } from '../stage.ts';
import { endRedis, go, kill, namesOf, start, startRedis, step, stop, terminate } from './steps.ts';

/**
 * Power losses of Redis' host: the server ends at once and its file lacks what was not yet on disk. `everysec` may lose
 * up to two seconds: a cut takes a random part of what was written in a random time up to that.
 */

const onlyAccepted = ({ level }: Ground): string | null =>
  level === 'durable' ? 'what is acknowledged as durable is synced, and no power loss takes that: see F7p' : null;

/** Where a cut begins, as two steps share it. */
type Cut = { mark: Mark | null };

const mark = (cut: Cut) => async (stage: Stage) => {
  cut.mark = await markEnd(stage.cluster.redis.primary.dir);
};

/** Ends Redis and removes `share` of what was appended after the mark; with `all` everything after it and more. */
async function cutNow(stage: Stage, cut: Cut, share: number, certain: boolean, all = false): Promise<void> {
  stage.mayLose('accepted', certain);
  await endRedis(stage, 'SIGKILL');
  const { dir } = stage.cluster.redis.primary;
  const written = cut.mark === null ? 0 : await bytesSince(dir, cut.mark);
  const bytes = all ? written : Math.max(1, Math.ceil(written * share));
  await cutTail(dir, bytes);
  stage.note({ type: 'fault-begun', fault: 'cut', detail: `${bytes} of ${written} bytes` });
}

const back = async (stage: Stage): Promise<void> => {
  await startRedis(stage);
  stage.measure('accepted');
};

/** One cut that begins at `atMs`. */
function cutSteps(random: Random, atMs: number, before: Step['run'][] = []): Step[] {
  const cut: Cut = { mark: null };
  const windowMs = random.between(300, 2000);
  const share = 0.05 + 0.95 * random.next();
  const downMs = random.between(100, 1000);
  return [
    step(atMs, 'mark the end of the file', mark(cut)),
    step(atMs + windowMs, `cut ${Math.round(share * 100)} % of the last ${windowMs} ms`, async (stage) => {
      for (const act of before) await act(stage);
      await cutNow(stage, cut, share, false);
    }),
    step(atMs + windowMs + downMs, 'start Redis', back),
  ];
}

export const cutFaults: Fault[] = [
  {
    name: 'F7p',
    does: 'power loss of Redis that takes exactly what was not synced',
    group: 'cuts',
    loss: 'possible',
    needs: { powerCuts: true },
    plan: (random, { fast }) =>
      Array.from({ length: fast ? 1 : 2 }, (_, index) => {
        const atMs = index * 8000 + random.between(0, 1000);
        return [
          step(atMs, 'kill -9 Redis, cut what it had not synced', async (stage) => {
            stage.mayLose('accepted');
            await endRedis(stage, 'SIGKILL');
            const bytes = stage.cutUnsynced();
            stage.note({ type: 'fault-begun', fault: 'cut', detail: `${bytes} bytes` });
          }),
          step(atMs + random.between(100, 1000), 'start Redis', back),
        ];
      }).flat(),
  },
  {
    name: 'F7a',
    does: 'power loss of Redis alone',
    group: 'cuts',
    loss: 'possible',
    cannot: onlyAccepted,
    plan: (random) => cutSteps(random, 0),
  },
  {
    name: 'F7b',
    does: 'power loss of Redis and of every process at once',
    group: 'cuts',
    loss: 'certain',
    cannot: onlyAccepted,
    plan(random) {
      const cut: Cut = { mark: null };
      const windowMs = random.between(300, 2000);
      const share = 0.05 + 0.95 * random.next();
      return [
        step(0, 'mark the end of the file', mark(cut)),
        step(windowMs, `kill -9 of all, cut ${Math.round(share * 100)} % of the last ${windowMs} ms`, async (stage) => {
          await Promise.all([
            cutNow(stage, cut, share, true),
            ...namesOf(stage, 'web', 'fanout', 'archive', 'jobs').map((name) => kill(stage, name)),
          ]);
        }),
        step(windowMs + 1000, 'start everything', async (stage) => {
          await startRedis(stage);
          await Promise.all(namesOf(stage, 'web', 'fanout', 'archive', 'jobs').map((name) => start(stage, name)));
          stage.measure('accepted');
        }),
      ];
    },
  },
  {
    name: 'F7c',
    does: 'power loss of Redis; one gateway is dead, one stands still, one started in the lost moment',
    group: 'cuts',
    loss: 'possible',
    cannot: onlyAccepted,
    needs: { counts: { web: 3 } },
    plan(random, { fast }) {
      const cut: Cut = { mark: null };
      const share = 0.5 + 0.5 * random.next();
      const pauseMs = fast ? 12_000 : 22_000;
      return [
        step(0, 'SIGTERM web-3', (stage) => terminate(stage, 'web-3')),
        step(1500, 'mark the end of the file, start web-3', async (stage) => {
          await mark(cut)(stage);
          await start(stage, 'web-3');
        }),
        step(
          2500,
          `SIGSTOP web-2, kill -9 web-1, cut ${Math.round(share * 100)} % of what was written`,
          async (stage) => {
            stop(stage, 'web-2');
            await kill(stage, 'web-1');
            await cutNow(stage, cut, share, false);
          },
        ),
        step(3000, 'start Redis', back),
        step(5000, 'start web-1', (stage) => start(stage, 'web-1')),
        step(2500 + pauseMs, 'SIGCONT web-2', (stage) => go(stage, 'web-2')),
      ];
    },
  },
  {
    name: 'F7d',
    does: 'everything stops in good order, then the file loses what it ended with',
    group: 'cuts',
    loss: 'certain',
    cannot: onlyAccepted,
    plan(random) {
      const cut: Cut = { mark: null };
      const windowMs = random.between(500, 1500);
      return [
        step(0, 'mark the end of the file', mark(cut)),
        step(windowMs, 'SIGTERM of all, cut everything after the mark', async (stage) => {
          await Promise.all(namesOf(stage, 'web', 'fanout', 'archive', 'jobs').map((name) => terminate(stage, name)));
          await cutNow(stage, cut, 1, true, true);
        }),
        step(windowMs + 500, 'start everything', async (stage) => {
          await startRedis(stage);
          await Promise.all(namesOf(stage, 'web', 'fanout', 'archive', 'jobs').map((name) => start(stage, name)));
          stage.measure('accepted');
        }),
      ];
    },
  },
  {
    name: 'F7e',
    does: 'two power losses of Redis within a minute',
    group: 'cuts',
    loss: 'possible',
    cannot: onlyAccepted,
    plan: (random) => [...cutSteps(random, 0), ...cutSteps(random, random.between(3000, 8000))],
  },
  {
    name: 'F7f',
    does: 'no fanout runs; what is accepted and archived meanwhile is lost in Redis',
    group: 'cuts',
    loss: 'certain',
    cannot: onlyAccepted,
    plan() {
      const cut: Cut = { mark: null };
      return [
        step(0, 'SIGTERM of the fanouts', (stage) =>
          Promise.all(namesOf(stage, 'fanout').map((name) => terminate(stage, name))).then(() => undefined),
        ),
        step(1000, 'mark the end of the file', mark(cut)),
        step(4000, 'cut everything after the mark', (stage) => cutNow(stage, cut, 1, true, true)),
        step(4500, 'start Redis', back),
        step(5500, 'start the fanouts', (stage) =>
          Promise.all(namesOf(stage, 'fanout').map((name) => start(stage, name))).then(() => undefined),
        ),
      ];
    },
  },
  {
    name: 'F7g',
    does: 'the archives stand still with what they have read, Redis loses it, and they go on when it is open again',
    group: 'cuts',
    loss: 'certain',
    cannot: onlyAccepted,
    plan(random, { fast }) {
      const cut: Cut = { mark: null };
      const stoppedMs = random.between(500, 1500);
      // The opening waits 10 s for their reports, and clients send again after it.
      const onMs = stoppedMs + (fast ? 16_000 : 20_000);
      return [
        step(0, 'mark the end of the file', mark(cut)),
        step(stoppedMs, 'SIGSTOP of the archives', async (stage) => {
          for (const name of namesOf(stage, 'archive')) stop(stage, name);
        }),
        step(stoppedMs + 500, 'cut everything after the mark', (stage) => cutNow(stage, cut, 1, true, true)),
        step(stoppedMs + 1000, 'start Redis', back),
        step(onMs, 'SIGCONT of the archives', async (stage) => {
          for (const name of namesOf(stage, 'archive')) go(stage, name);
        }),
      ];
    },
  },
];
