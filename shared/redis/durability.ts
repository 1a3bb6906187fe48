import type { Redis } from 'ioredis';
import { ConfigError } from '../process/config.ts';
import { type Logger, reason } from '../process/log.ts';
import type { DurableBy } from '../process/settings.ts';
import { retries, retryPauseMs } from '../timing/retry.ts';
import { isRefused } from './failures.ts';
import type { Keys } from './keys.ts';
import { infoField } from './server-info.ts';

/**
 * What makes a message durable once the script that accepted it has answered. `at-once`: nothing is left to do, because
 * Redis syncs its file before it answers. `waitaof`, `wait`: a barrier with this command (barrier.ts). null: it cannot
 * be made durable.
 */
export type Means = 'at-once' | 'waitaof' | 'wait' | null;

/** What the operator says: DURABLE_BY, DURABLE_REPLICAS, and whether ACK_LEVEL is `durable`. */
export type Claim = { by: DurableBy; replicas: number; isDefault: boolean };

/** What a run of Redis says of itself; null: it refuses to say. */
export type DurabilityFacts = {
  appendonly: boolean;
  appendfsync: string | null;
  /** While the file is rewritten, even `always` does not sync. */
  pausesInRewrite: boolean | null;
  /** `early`: WAITAOF answers before it has synced. */
  waitaof: 'absent' | 'early' | 'sound' | null;
};

/**
 * The means of a claim in view of the facts, or a sentence that says why the claim is wrong. What Redis refuses to say
 * is believed of a claim, and never assumed by `auto`.
 */
export function meansOf({ by, replicas, isDefault }: Claim, facts: DurabilityFacts): { means: Means; fault?: string } {
  const { appendonly, appendfsync, pausesInRewrite, waitaof } = facts;
  const wrong = (fault: string) => ({ means: null, fault });
  const atOnce: Means = replicas > 0 ? 'wait' : 'at-once';
  switch (by) {
    case 'none':
      return { means: null };
    case 'replicas':
      return { means: 'wait' };
    case 'always':
      if (appendfsync === null) return { means: atOnce };
      if (!appendonly) return wrong('DURABLE_BY: always, but Redis has appendonly no');
      if (appendfsync !== 'always') return wrong(`DURABLE_BY: always, but Redis has appendfsync ${appendfsync}`);
      if (pausesInRewrite === true) return wrong('DURABLE_BY: always, but Redis has no-appendfsync-on-rewrite yes');
      return { means: atOnce };
    case 'waitaof':
      if (waitaof === 'absent') return wrong('DURABLE_BY: waitaof, but this Redis does not know WAITAOF');
      if (waitaof === 'early') return wrong('DURABLE_BY: waitaof, but this Redis answers WAITAOF before it has synced');
      if (!appendonly) return wrong('DURABLE_BY: waitaof, but Redis has appendonly no');
      if (appendfsync === 'no') return wrong('DURABLE_BY: waitaof, but Redis has appendfsync no');
      return { means: 'waitaof' };
    case 'auto':
      if (appendonly && appendfsync === 'always' && pausesInRewrite === false) return { means: atOnce };
      if (appendonly && appendfsync !== 'no' && waitaof === 'sound') return { means: 'waitaof' };
      if (replicas > 0) return { means: 'wait' };
      if (!isDefault) return { means: null };
      return wrong('ACK_LEVEL: durable, but Redis has no appendfsync always, and no WAITAOF that can be relied on');
  }
}

type Reply = [Error | null, unknown];

/** One check takes this many barriers, and a server that is right this much time (ms): two pauses between syncs. */
const checkBarriers = 3;
const checkMs = 1900;
const mostChecks = 3;

/**
 * Whether WAITAOF waits for a sync. Some servers answer as soon as they have nothing left to write: Redis 7.4 before
 * 8.0 and Valkey up to 9.1. With `everysec` a sync begins at least a second after the one before. So barriers one after
 * the other, carried out by the server without us in between, cannot take less. A rewrite of the file syncs in between,
 * which is why a fast server is checked again before it is called early. null: Redis takes no writes now.
 */
async function isSound(connection: Redis, key: string): Promise<boolean | null> {
  for (let check = 0; check < mostChecks; check++) {
    const pipeline = connection.pipeline().time();
    for (let i = 0; i < checkBarriers; i++) pipeline.set(key, '1').call('WAITAOF', 1, 0, checkMs * 2);
    const replies = (await pipeline.time().exec()) as Reply[];
    if (replies.some(([refused]) => refused !== null && isRefused(refused))) return null;
    for (const [failed] of replies) if (failed) throw failed;
    const timeOf = ([, reply]: Reply): number => {
      const [seconds, micros] = reply as [string, string];
      return Number(seconds) * 1000 + Number(micros) / 1000;
    };
    if (timeOf(replies.at(-1)!) - timeOf(replies[0]!) >= checkMs) return true;
  }
  return false;
}

/** Reads the run id and the facts of the Redis at the other end of a connection. */
async function readFacts(
  connection: Redis,
  key: string,
  { by }: Claim,
): Promise<{ run: string; facts: DurabilityFacts }> {
  const [info, fsync, rewrite, command] = (await connection
    .pipeline()
    .info()
    .config('GET', 'appendfsync')
    .config('GET', 'no-appendfsync-on-rewrite')
    .call('COMMAND', 'INFO', 'WAITAOF')
    .exec()) as [Reply, Reply, Reply, Reply];
  if (info[0]) throw info[0];
  const text = String(info[1]);
  const setting = ([refused, reply]: Reply): string | null => (refused ? null : ((reply as string[])[1] ?? null));
  const pauses = setting(rewrite);
  const appendonly = infoField(text, 'aof_enabled') === '1';
  const appendfsync = setting(fsync);
  const waitaof = async (): Promise<DurabilityFacts['waitaof']> => {
    if (command[0]) return null;
    if ((command[1] as unknown[])[0] === null) return 'absent';
    const isUsed = (by === 'auto' || by === 'waitaof') && appendonly && appendfsync !== 'no';
    if (!isUsed || appendfsync === 'always') return 'sound';
    const sound = await isSound(connection, key);
    // A fast WAITAOF proves nothing where it may be `always`.
    return sound === true ? 'sound' : sound === null || appendfsync === null ? null : 'early';
  };
  return {
    run: infoField(text, 'run_id'),
    facts: {
      appendonly,
      appendfsync,
      pausesInRewrite: pauses === null ? null : pauses === 'yes',
      waitaof: await waitaof(),
    },
  };
}

/**
 * Finds out, once for each run of Redis, how a message is made durable there. `connection` is the one that barriers go
 * through: what is known holds until it closes.
 *
 * A claim that the first run does not fit stops the start. With a later run it is logged, and `durable` is not given
 * until another run fits.
 */
export function createDurability(connection: Redis, keys: Pick<Keys, 'barrier'>, claim: Claim, log: Logger) {
  let run = '';
  let means: Means = null;
  let closes = 0;
  let stopped = false;
  let started = false;
  const first = Promise.withResolvers<void>();
  // Nobody waits for it if the process ends before.
  first.promise.catch(() => undefined);

  async function ask(): Promise<void> {
    const before = closes;
    const found = await readFacts(connection, keys.barrier(0), claim);
    if (closes !== before) return;
    const judged = meansOf(claim, found.facts);
    [run, means] = [found.run, judged.means];
    if (judged.fault === undefined) first.resolve();
    else if (started) log.error({ event: 'durability_lost', reason: judged.fault });
    else first.reject(new ConfigError([judged.fault]));
    started = true;
  }

  function askUntilKnown(attempt: number): void {
    ask().catch((thrown: unknown) => {
      log.debug({ event: 'durability_unknown', attempt, reason: reason(thrown) });
      const again = (): void => {
        // The next connection asks by itself.
        if (!stopped && connection.status === 'ready' && run === '') askUntilKnown(attempt + 1);
      };
      setTimeout(again, retryPauseMs(retries.durability, attempt)).unref();
    });
  }

  connection.on('ready', () => askUntilKnown(1));
  connection.on('close', () => {
    closes += 1;
    run = '';
  });

  return {
    /** Resolves once the first run is known. Rejects with ConfigError if it does not fit the claim. */
    known: first.promise,
    /** The run of Redis for which `means` is known and barriers can be made; '' while there is none. */
    get run(): string {
      return run;
    },
    /** Of the present run, or of the latest one. */
    get means(): Means {
      return means;
    },
    stop: (): void => void (stopped = true),
  };
}

export type Durability = Pick<ReturnType<typeof createDurability>, 'run' | 'means'>;
