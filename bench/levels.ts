/**
 * What levels of acknowledgement cost: how long a lone send waits for its level, and how many messages a second go
 * through with `appendfsync always` beside `everysec`. Each round starts every server in turn.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { findRedis8 } from '../tools/harness/other-redis.ts';
import { startCluster, type Server } from './cluster.ts';
import { connectUser } from './connect-user.ts';
import { median } from './median.ts';
import { runLoad } from './run-load.ts';
import { textFrame } from './socket.ts';
import { withServer } from './with-server.ts';

type Level = 'accepted' | 'durable' | 'stored';

/** One server and level in one round. `perSecond`: deliveries a second at saturation, null where not measured. */
export type LevelRun = {
  system: string;
  level: Level;
  waitsMs: number[];
  /** Answers that said less than was asked for. */
  missed: number;
  perSecond: number | null;
  lost: number;
  duplicated: number;
  foreignCores: number | null;
};

const users = 200;
const loneSends = 40;
/** Each waits about half a second, for the next sync of the file. */
const loneBarriers = 15;
/** A lone message comes at any time between two syncs. */
const longestPauseMs = 1000;

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** Sends one message after the other, each after a random pause, and resolves how long their answers took (ms). */
async function sendAlone(server: Server, level: Level, count: number, mostPauseMs: number) {
  let heard: (text: string) => void = () => undefined;
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => undefined);
  const connection = await connectUser({
    ...server,
    system: 'restante',
    user: `lone-${level}`,
    onTexts: (texts) => texts.forEach((text) => heard(text)),
    onLost: lost.reject,
  });
  const waitsMs: number[] = [];
  let missed = 0;
  try {
    for (let sent = -3; sent < count; sent += 1) {
      await pause(Math.random() * mostPauseMs);
      const began = performance.now();
      const answer = new Promise<string>((resolve) => {
        heard = (text) => {
          if (text.includes('"clientId"')) resolve(text);
        };
      });
      const frame = { type: 'send', clientId: `${level}${sent + 3}`, to: 'nobody', kind: 'bench', body: 'x', level };
      connection.write(textFrame(JSON.stringify(frame)));
      const text = await Promise.race([answer, lost.promise]);
      // The first ones warm up.
      if (sent < 0) continue;
      waitsMs.push(performance.now() - began);
      if (!text.includes(`"level":"${level}"`)) missed += 1;
    }
  } finally {
    await connection.close();
  }
  return { waitsMs, missed };
}

const unloaded = { perSecond: null, lost: 0, duplicated: 0, foreignCores: null };

/** One round. `say` is told what cannot be measured. */
export async function runLevels(
  env: NodeJS.ProcessEnv,
  times: { warmUpMs: number; measureMs: number; patienceMs: number },
  say: (text: string) => void,
): Promise<LevelRun[]> {
  const runs: LevelRun[] = [];
  const withRedis = (appendfsync: string, use: (server: Server) => Promise<void>, program?: string): Promise<void> =>
    withServer(
      startCluster({ env, redis: { args: ['--appendfsync', appendfsync], ...(program ? { program } : {}) } }),
      use,
    );
  const measure = async (server: Server, system: string, level: Level, saturated: boolean): Promise<void> => {
    const alone = await sendAlone(server, level, loneSends, 20);
    if (!saturated) return void runs.push({ system, level, ...alone, ...unloaded });
    const shape = { kind: 'closed', window: 4 } as const;
    const { perSecond, lost, duplicated, foreignCores } = await runLoad(
      server,
      { system: 'restante', users, shape, ...times },
      env,
    );
    runs.push({ system, level, ...alone, perSecond, lost, duplicated, foreignCores });
  };
  await withRedis('everysec', async (server) => {
    // Before the load: after it the archive has a backlog.
    await measure(server, 'everysec-stored', 'stored', false);
    await measure(server, 'everysec', 'accepted', true);
  });
  await withRedis('always', async (server) => measure(server, 'always', 'durable', true));
  const redis8 = await findRedis8();
  if ('missing' in redis8) say(`       levels: no Redis with a WAITAOF that waits for the disk: ${redis8.missing}`);
  else
    await withRedis(
      'everysec',
      async (server) => {
        const alone = await sendAlone(server, 'durable', loneBarriers, longestPauseMs);
        runs.push({ system: 'everysec-waitaof', level: 'durable', ...alone, ...unloaded });
      },
      redis8.path,
    );
  return runs;
}

const sorted = (runs: readonly LevelRun[]): number[] =>
  runs.flatMap(({ waitsMs }) => waitsMs).toSorted((a, b) => a - b);
const quantile = (values: number[], share: number): number =>
  values[Math.min(values.length - 1, Math.floor(values.length * share))]!;

export function levelRow(round: number, run: LevelRun): string {
  const waits = sorted([run]);
  const rate = run.perSecond === null ? '' : `; ${Math.round(run.perSecond)} delivered/s at saturation`;
  const foreign = run.foreignCores === null ? '' : `, foreign ${run.foreignCores.toFixed(2)}`;
  return (
    `${String(round).padStart(5)}  levels ${run.system.padEnd(16)}  ${run.level}: ` +
    `p50 ${quantile(waits, 0.5).toFixed(2)} ` +
    `ms, max ${waits.at(-1)!.toFixed(1)} ms${run.missed > 0 ? `, missed ${run.missed}` : ''}${rate}${foreign}`
  );
}

/** The rounds of one server and level as a case of the last line. */
export function levelCase(runs: LevelRun[]) {
  const [{ system, level }] = runs as [LevelRun];
  const waits = sorted(runs);
  const rates = runs.map(({ perSecond }) => perSecond).filter((rate) => rate !== null);
  const sum = (pick: (run: LevelRun) => number): number => runs.reduce((total, run) => total + pick(run), 0);
  return {
    name: 'levels',
    system,
    level,
    delivered_per_s: rates.length === 0 ? null : rounded(median(rates), 1),
    p50_ms: rounded(quantile(waits, 0.5), 3),
    p99_ms: rounded(quantile(waits, 0.99), 3),
    cpu_s_per_1k: null,
    lost: sum((run) => run.lost),
    duplicated: sum((run) => run.duplicated),
    missed: sum((run) => run.missed),
    sends: waits.length,
  };
}

/** Deliveries a second with `always` to those with `everysec`, the median over the rounds. */
export function levelRatios(runs: LevelRun[]) {
  const rates = (system: string): number[] =>
    runs.flatMap((run) => (run.system === system && run.perSecond !== null ? [run.perSecond] : []));
  const everysec = rates('everysec');
  const ratios = rates('always').flatMap((rate, round) => (everysec[round] ? [rate / everysec[round]] : []));
  return { always_to_everysec: ratios.length === 0 ? null : rounded(median(ratios), 3) };
}
