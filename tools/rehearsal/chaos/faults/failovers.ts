import type { Fault, Ground } from '../stage.ts';
import { endRedis, step } from './steps.ts';

const replicaOnly = ({ on }: Ground): string | null => (on === 'replica' ? null : 'needs a replica: --on replica');

/** A replica takes over from the primary, as Sentinel or an operator does it: it is promoted, and addresses follow. */
export const failoverFaults: Fault[] = [
  {
    name: 'F11',
    does: 'the primary is killed while its replica is in step, and the replica promoted',
    group: 'cuts',
    // Replication is asynchronous: what the primary acknowledged in its last moment may not have left it.
    loss: 'possible',
    cannot: replicaOnly,
    plan: (random) => [
      step(0, 'kill -9 of the primary', async (stage) => {
        stage.mayLose('durable');
        await endRedis(stage, 'SIGKILL');
        stage.measure('accepted');
      }),
      step(random.between(500, 3000), 'promote the replica', ({ cluster }) => cluster.promote()),
    ],
  },
  {
    name: 'F11a',
    does: 'the replica is far behind when the primary is killed, and is promoted',
    group: 'cuts',
    loss: 'certain',
    cannot: replicaOnly,
    plan: (random) => {
      const behindMs = random.between(2000, 4000);
      return [
        step(0, 'throttle the link to the replica to 1 kB/s', ({ cluster }) => cluster.redis.link!.throttle(1000)),
        step(behindMs, 'kill -9 of the primary', async (stage) => {
          stage.mayLose('durable', true);
          await endRedis(stage, 'SIGKILL');
          // What the link holds is lost with the primary's socket buffers.
          stage.cluster.redis.link!.refuse();
          stage.measure('accepted');
        }),
        step(behindMs + 1500, 'promote the replica', ({ cluster }) => cluster.promote()),
      ];
    },
  },
  {
    name: 'F12a',
    does: 'the primary stands still, its replica is promoted, and the old primary goes on for a moment',
    group: 'cuts',
    loss: 'possible',
    cannot: replicaOnly,
    plan: (random, { fast }) => {
      const stillMs = fast ? 6000 : 20_000;
      const lateMs = random.between(500, 2500);
      return [
        step(0, 'SIGSTOP of the primary', ({ cluster, mayLose, measure }) => {
          mayLose('durable');
          cluster.redis.primary.child.pause();
          measure('accepted');
        }),
        step(3000, 'promote the replica', ({ cluster }) => cluster.promote()),
        step(stillMs, 'SIGCONT of the old primary', ({ cluster }) => cluster.redis.replica!.child.resume()),
        step(stillMs + lateMs, 'make the old primary a replica', ({ cluster }) => cluster.redis.rejoin()),
      ];
    },
  },
  {
    name: 'F41',
    does: 'the clock of the replica is 5 s behind when it is promoted, and it lacks the newest writes',
    group: 'clocks',
    loss: 'certain',
    needs: { clocks: ['redis-2'] },
    cannot: replicaOnly,
    plan: () => [
      step(0, 'the clock of the replica goes back 5 s; throttle its link to 1 kB/s', ({ cluster, clock }) => {
        clock('redis-2').shift(-5000);
        cluster.redis.link!.throttle(1000);
      }),
      step(3000, 'kill -9 of the primary', async (stage) => {
        stage.mayLose('durable', true);
        await endRedis(stage, 'SIGKILL');
        stage.cluster.redis.link!.refuse();
        stage.measure('accepted');
      }),
      step(4000, 'promote the replica', ({ cluster }) => cluster.promote()),
      step(12_000, 'its clock is right again', ({ clock }) => clock('redis-2').shift(0)),
    ],
  },
];
