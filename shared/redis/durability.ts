import type { Redis } from 'ioredis';
import { ConfigError } from '../process/config.ts';
import { type Logger, reason } from '../process/log.ts';
import type { DurableBy } from '../process/settings.ts';
import { retries, retryPauseMs } from '../timing/retry.ts';
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
  knowsWaitaof: boolean | null;
};

/**
 * The means of a claim in view of the facts, or a sentence that says why the claim is wrong. What Redis refuses to say
 * is believed of a claim, and never assumed by `auto`.
 */
export function meansOf({ by, replicas, isDefault }: Claim, facts: DurabilityFacts): { means: Means; fault?: string } {
  const { appendonly, appendfsync, pausesInRewrite, knowsWaitaof } = facts;
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
      if (knowsWaitaof === false) return wrong('DURABLE_BY: waitaof, but this Redis does not know WAITAOF');
      if (!appendonly) return wrong('DURABLE_BY: waitaof, but Redis has appendonly no');
      if (appendfsync === 'no') return wrong('DURABLE_BY: waitaof, but Redis has appendfsync no');
      return { means: 'waitaof' };
    case 'auto':
      if (appendonly && appendfsync === 'always' && pausesInRewrite === false) return { means: atOnce };
      if (appendonly && appendfsync !== 'no' && knowsWaitaof === true) return { means: 'waitaof' };
      if (replicas > 0) return { means: 'wait' };
      if (!isDefault) return { means: null };
      return wrong('ACK_LEVEL: durable, but Redis has no appendfsync always, knows no WAITAOF, or has appendonly no');
  }
}

type Reply = [Error | null, unknown];

/** Reads the run id and the facts of the Redis at the other end of a connection. */
async function readFacts(connection: Redis): Promise<{ run: string; facts: DurabilityFacts }> {
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
  return {
    run: infoField(text, 'run_id'),
    facts: {
      appendonly: infoField(text, 'aof_enabled') === '1',
      appendfsync: setting(fsync),
      pausesInRewrite: pauses === null ? null : pauses === 'yes',
      knowsWaitaof: command[0] ? null : (command[1] as unknown[])[0] !== null,
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
export function createDurability(connection: Redis, claim: Claim, log: Logger) {
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
    const found = await readFacts(connection);
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
