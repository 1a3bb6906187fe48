import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startCluster } from '../tools/harness/local-cluster.ts';
import { during } from '../tools/progress/progress.mjs';
import { prepareAttack } from '../tools/rehearsal/abuse/attack-thread.ts';
import { attackNamed, attacks } from '../tools/rehearsal/abuse/attacks.ts';
import { connectInnocent, type Experience } from '../tools/rehearsal/abuse/innocent.ts';
import { watchProcesses } from '../tools/rehearsal/abuse/process-watch.ts';
import type { Attack } from '../tools/rehearsal/abuse/stage.ts';
import type { Command, Context } from './command.ts';
import { UsageError } from './context.ts';

/** Limits on how much an attack by one user may affect others. */
const goals = { p99Ms: 250, memoryRatio: 1.3 };

const width = Math.max(...attacks.map(({ name }) => name.length));

const usage = `usage: npm run cli -- rehearse-abuse [--only NAME,…] [--seconds 30] [--rest 60] [--seed N]

Starts a cluster of its own. One user makes one attack after the other, each for --seconds, while two innocent users
write to each other. It checks four things:
  no process ends;
  no message of the innocent users is lost or refused;
  99 of 100 of their messages take less than ${goals.p99Ms} ms;
  after a rest the gateway takes at most ${goals.memoryRatio} times its memory before the attack.
The last line of the output is JSON. Exit code 1 when a check fails.

${attacks.map(({ name, says }) => `  ${name.padEnd(width)}  ${says}`).join('\n')}`;

type Result = {
  name: string;
  seconds: number;
  answers: Record<string, number>;
  innocent: Experience;
  ended: string[];
  /** Exceptions contained since the cluster was started. */
  contained: Record<string, number>;
  /** Memory of the gateway in bytes: before, at most, and after the rest. */
  memory: { before: number; peak: number; after: number };
  faults: string[];
};

function judge({ answers, innocent, ended, contained, memory }: Omit<Result, 'faults'>): string[] {
  const faults: string[] = [];
  if (ended.length > 0) faults.push(`ended: ${ended.join(', ')}`);
  if (Object.keys(contained).length > 0)
    faults.push(
      `contained: ${Object.entries(contained)
        .map(([where, count]) => `${where} ${count}`)
        .join(', ')}`,
    );
  if (answers['internal'] || answers['500']) faults.push('internal errors');
  if (innocent.missing > 0) faults.push(`${innocent.missing} messages missing`);
  if (innocent.disorder > 0) faults.push(`${innocent.disorder} out of order`);
  if (innocent.refused > 0)
    faults.push(`${innocent.refused} sends of the innocent refused: ${JSON.stringify(innocent.refusedWith)}`);
  if (innocent.p99 > goals.p99Ms) faults.push(`innocent p99 ${innocent.p99.toFixed(0)} ms`);
  if (memory.after > memory.before * goals.memoryRatio)
    faults.push(`memory ${(memory.after / memory.before).toFixed(2)} times`);
  return faults;
}

/** Runs attacks one after the other on a cluster of its own, until one of them ends a process. */
async function rehearse(
  some: Attack[],
  { seconds, rest, seed, unlimited }: { seconds: number; rest: number; seed: number; unlimited: boolean },
  { stdout, signal, doing }: Context,
): Promise<Result[]> {
  doing('starting a cluster');
  const cluster = await startCluster({ env: { RATE_LIMITS: unlimited ? 'off' : '' } });
  const watch = watchProcesses(cluster);
  const results: Result[] = [];
  const play = async ({ name, group }: Attack): Promise<Result> => {
    doing(`${name}: preparing`);
    const attack = await prepareAttack({ name, ws: cluster.url, secret: cluster.secret, seed }, signal);
    const live = await connectInnocent(cluster, group);
    const before = watch.memory();
    watch.peak();
    doing(during(seconds * 1000, `${name}: attacking`));
    const [innocent, answers] = await Promise.all([live(seconds * 1000, signal), attack.run(seconds * 1000)]);
    const peak = watch.peak();
    doing(during(rest * 1000, `${name}: waiting until the gateway has given memory back`));
    for (const end = performance.now() + rest * 1000; performance.now() < end && !signal.aborted; await pause(500)) {
      if (watch.memory() <= before * goals.memoryRatio) break;
    }
    const found = {
      name,
      seconds,
      answers,
      innocent,
      ended: watch.ended(),
      contained: await watch.contained(),
      memory: { before, peak, after: watch.memory() },
    };
    return { ...found, faults: judge(found) };
  };
  try {
    doing('warming up');
    // Warm up, so that memory is compared with that of a gateway that has done normal work.
    await (
      await connectInnocent(cluster)
    )(5000, signal);
    for (const attack of some) {
      if (signal.aborted) break;
      const result = await play(attack);
      results.push(result);
      stdout.write(row(result));
      if (result.ended.length > 0) break;
    }
  } finally {
    doing('stopping the cluster');
    watch.stop();
    await cluster.stop();
  }
  return results;
}

function row({ name, innocent, memory, answers, faults }: Result): string {
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);
  const often = Object.entries(answers)
    .toSorted(([, one], [, other]) => other - one)
    .slice(0, 8);
  return [
    `${name.padEnd(width)}  innocent p50 ${innocent.p50.toFixed(1)} p99 ${innocent.p99.toFixed(1)} `,
    `most ${innocent.most.toFixed(0)} ms of ${innocent.sent}`,
    `  memory ${mb(memory.before)} ${mb(memory.peak)} ${mb(memory.after)} MB  `,
    `${faults.length === 0 ? 'ok' : faults.join('; ')}\n`,
    `${' '.repeat(width)}  ${often.map(([answer, count]) => `${answer} ${count}`).join(', ')}\n`,
  ].join('');
}

async function run(args: string[], context: Context): Promise<number> {
  const { stdout, signal } = context;
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      seconds: { type: 'string', default: '30' },
      rest: { type: 'string', default: '60' },
      seed: { type: 'string', default: '1' },
    },
  });
  const [seconds, rest, seed] = [values.seconds, values.rest, values.seed].map(Number) as [number, number, number];
  if (![seconds, rest, seed].every((number) => Number.isFinite(number) && number >= 0)) throw new UsageError(usage);
  const names = values.only?.split(',') ?? attacks.map(({ name }) => name);
  const unknown = names.find((name) => !attacks.some((attack) => attack.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no attack ${unknown}\n\n${usage}`);

  const results: Result[] = [];
  const chosen = names.map(attackNamed);
  for (const unlimited of [true, false]) {
    const some = chosen.filter((attack) => (attack.unlimited ?? false) === unlimited);
    if (some.length > 0) results.push(...(await rehearse(some, { seconds, rest, seed, unlimited }, context)));
  }
  const violations = results.reduce((sum, { faults }) => sum + faults.length, 0);
  stdout.write(`${JSON.stringify({ cases: results, violations })}\n`);
  return violations === 0 && !signal.aborted ? 0 : 1;
}

export const rehearseAbuse: Command = {
  summary: 'attack a cluster as one user, and check that others do not notice',
  usage,
  run,
};
