/** A server with a group, its listeners online and warmed up, and the results of measuring it. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Reach } from './attendance.ts';
import { openAudience, type Audience } from './audience.ts';
import type { Server } from './cluster.ts';
import type { System } from './connect-user.ts';
import { createGroup, memberName } from './create-group.ts';
import { openRedisInfo } from './redis-info.ts';
import { readServerCpu, serverCpuBetween, waitForRest, type Watched } from './server-cpu.ts';

export type GroupTarget = Watched & {
  audience: Audience;
  /** Null if there is nothing to create. */
  createdMs: number | null;
  /** Redis memory for the group, measured when the server was at rest or `restWithinMs` had passed. */
  groupBytes: number | null;
  /** CPU seconds that it uses each second when nothing is sent. */
  idle: { redis: number; others: number };
  close: () => Promise<void>;
};

export type GroupRun = {
  /** For messages sent one after the other. */
  reaches: Reach[];
  /** CPU seconds for each message until the server was at rest again, without its idle use. */
  redisCpu: number;
  othersCpu: number;
  /** Number of messages in the burst. */
  burst: number;
  /** From the first `send` of a burst until everybody had all of it; null if a listener did not get all. */
  burstMs: number | null;
  /** Whether the server came to rest after the messages, and again after the burst. */
  rested: boolean;
  /**
   * Cores used by anything except this server and this process; that includes other servers that wait for their turn.
   */
  foreignCores: number;
};

/** Maximum time for one message, or a burst, to reach everybody. */
const patienceMs = 15_000;
const restWithinMs = 30_000;
/** Long enough for a group to appear in its members' lists, and for the entry that announced it to be trimmed. */
const samplesAfterCreation = 10;
const conversation = 'everybody';

export type GroupSize = { members: number; online: number };

/** Resolves with a sentence if the server refuses a group of this size. */
export async function openTarget(
  server: Server,
  system: System,
  { members, online }: GroupSize,
): Promise<GroupTarget | string> {
  const redis = server.redis === undefined ? undefined : openRedisInfo(server.redis);
  const watched = { server, redis };
  let createdMs: number | null = null;
  let groupBytes: number | null = null;
  try {
    if (redis !== undefined) {
      await waitForRest(watched, restWithinMs);
      const before = await redis.usedBytes();
      const creation = await createGroup(server, conversation, members);
      if ('refused' in creation) {
        redis.close();
        return creation.refused;
      }
      await waitForRest(watched, restWithinMs, samplesAfterCreation);
      createdMs = creation.ms;
      groupBytes = (await redis.usedBytes()) - before;
    }
    const listeners = Array.from({ length: online }, (_, index) => memberName(index + 1));
    const audience = await openAudience({ system, server, conversation, sender: memberName(0), listeners });
    return {
      ...watched,
      audience,
      createdMs,
      groupBytes,
      idle: { redis: 0, others: 0 },
      close: async () => {
        redis?.close();
        await audience.close();
      },
    };
  } catch (error) {
    redis?.close();
    throw error;
  }
}

/** The number of messages in a turn: at most `most` within `withinMs`, but never fewer than `least`. */
export type Turn = { least: number; most: number; withinMs: number };

/**
 * Sends messages one after the other, each when nothing more of the last one is expected. Ends with the first that
 * takes too long.
 */
async function sendInTurn(
  { audience }: GroupTarget,
  { least, most, withinMs }: Turn,
): Promise<{ reaches: Reach[]; timedOut: boolean }> {
  const reaches: Reach[] = [];
  const endsAt = performance.now() + withinMs;
  while (reaches.length < least || (reaches.length < most && performance.now() < endsAt)) {
    const sent = await audience.send(1, patienceMs);
    reaches.push(...sent.reaches);
    if (sent.timedOut) return { reaches, timedOut: true };
  }
  return { reaches, timedOut: false };
}

export async function warmUp(target: GroupTarget, turn: Turn): Promise<void> {
  await sendInTurn(target, turn);
  await waitForRest(target, restWithinMs);
}

/** Measures the idle use of servers, all at the same time: each has its own processes. */
export async function measureIdleUse(targets: GroupTarget[], ms: number): Promise<void> {
  const before = await Promise.all(targets.map(readServerCpu));
  await pause(ms);
  for (const [index, target] of targets.entries()) {
    const { at, redis, others } = serverCpuBetween(before[index]!, await readServerCpu(target));
    target.idle = { redis: redis / at, others: others / at };
  }
}

type Used = { redis: number; others: number; foreignCores: number };

/** The cost of `work`: the server is at rest before, and again when it is read. Its idle use is subtracted. */
async function costOf<T>(
  target: GroupTarget,
  work: () => Promise<T>,
): Promise<{ result: T; used: Used; rested: boolean }> {
  const before = await readServerCpu(target);
  const result = await work();
  const rested = await waitForRest(target, restWithinMs);
  const { at, redis, others, busy, own } = serverCpuBetween(before, await readServerCpu(target));
  const foreignCores = Math.max(0, (busy - own - redis - others) / at);
  const used = { redis: redis - target.idle.redis * at, others: others - target.idle.others * at, foreignCores };
  return { result, rested, used };
}

export async function measureGroup(target: GroupTarget, turn: Turn, burst: number): Promise<GroupRun> {
  const {
    result: { reaches, timedOut },
    used,
    rested,
  } = await costOf(target, () => sendInTurn(target, turn));
  const together = timedOut ? undefined : await target.audience.send(burst, patienceMs);
  const burstReached = together?.reaches.map(({ reachedMs }) => reachedMs) ?? [null];
  const restedAgain = await waitForRest(target, restWithinMs);
  return {
    reaches,
    redisCpu: used.redis / reaches.length,
    othersCpu: used.others / reaches.length,
    burst,
    burstMs: burstReached.includes(null) ? null : Math.max(...burstReached.map(Number)),
    rested: rested && restedAgain,
    foreignCores: used.foreignCores,
  };
}
