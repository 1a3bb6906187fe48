/** A server with a group in it, its listeners online and warm, and what one measurement of it gives. */
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
  /** Null where there is nothing to create. */
  createdMs: number | null;
  /** What Redis allocated for the group, as far as it had come to rest. */
  groupBytes: number | null;
  /** What it uses a second when nothing is sent. */
  idle: { redis: number; others: number };
  close: () => Promise<void>;
};

export type GroupRun = {
  /** Of messages sent one after the other. */
  reaches: Reach[];
  /** CPU seconds a message, without what the server uses idle; until it was at rest again. */
  redisCpu: number;
  othersCpu: number;
  /** Messages of the burst. */
  burst: number;
  /** From the first `send` of a burst until everybody had all of it; null when somebody did not get all. */
  burstMs: number | null;
  /** The server came to rest after the messages, and after the burst. */
  rested: boolean;
  /** Cores taken by what is neither this server nor this process, other servers that have no turn included. */
  foreignCores: number;
};

/** For one message to come to everybody, or a burst. */
const patienceMs = 15_000;
const restWithinMs = 30_000;
/** Long enough for a group to appear in the lists of its members, and for the entry that told of it to be trimmed. */
const samplesAfterCreation = 10;
const conversation = 'everybody';

export type GroupSize = { members: number; online: number };

/** Resolves with a sentence when the server refuses a group of this size. */
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

/** How many messages a turn has: `most` of them, or those of `withinMs`, but never fewer than `least`. */
export type Turn = { least: number; most: number; withinMs: number };

/**
 * One after the other, each when nothing of the one before is to come any more; ends with the first that took too long.
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

/** Measures what servers use idle, all at the same time: each has its own processes. */
export async function measureIdleUse(targets: GroupTarget[], ms: number): Promise<void> {
  const before = await Promise.all(targets.map(readServerCpu));
  await pause(ms);
  for (const [index, target] of targets.entries()) {
    const { at, redis, others } = serverCpuBetween(before[index]!, await readServerCpu(target));
    target.idle = { redis: redis / at, others: others / at };
  }
}

type Used = { redis: number; others: number; foreignCores: number };

/** What `work` causes: the server is at rest before, and again when it is read. What it uses idle is left out. */
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
