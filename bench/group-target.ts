/** A server with a group in it, its listeners online and warm, and what one measurement of it gives. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Server } from './cluster.ts';
import { openAudience, type Audience, type Reach } from './audience.ts';
import type { System } from './connect-user.ts';
import { createGroup, memberName } from './create-group.ts';
import { openRedisInfo } from './redis-info.ts';
import { readServerCpu, serverCpuBetween, waitForRest, type ServerCpu, type Watched } from './server-cpu.ts';

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
  /** From the first `send` of a burst until everybody had all of it; null when somebody did not get all. */
  burstMs: number | null;
  burstRedisCpu: number | null;
  /** The server came to rest after each of both. */
  rested: boolean;
};

/** For one message to come to everybody, or a burst. */
const patienceMs = 15_000;
const restWithinMs = 30_000;
const conversation = 'everybody';

export type GroupSize = { members: number; online: number };

/** Resolves with a sentence when the server refuses a group of this size. */
export const openTarget = async (server: Server, system: System, { members, online }: GroupSize): Promise<GroupTarget | string> => {
  const redis = server.redisPort === undefined ? undefined : openRedisInfo(server.redisPort);
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
      await waitForRest(watched, restWithinMs);
      createdMs = creation.ms;
      groupBytes = (await redis.usedBytes()) - before;
    }
    const listeners = Array.from({ length: online }, (_, index) => memberName(index + 1));
    const audience = await openAudience({ system, server, conversation, sender: memberName(0), listeners });
    return {
      ...watched, audience, createdMs, groupBytes, idle: { redis: 0, others: 0 },
      close: async () => {
        redis?.close();
        await audience.close();
      },
    };
  } catch (error) {
    redis?.close();
    throw error;
  }
};

const reachedAll = (reaches: Reach[]): boolean => reaches.every(({ reachedMs }) => reachedMs !== null);

/** One after the other, each when the one before has come to everybody; ends with the first that did not. */
const sendInTurn = async ({ audience }: GroupTarget, messages: number): Promise<Reach[]> => {
  const reaches: Reach[] = [];
  while (reaches.length < messages && reachedAll(reaches.slice(-1))) reaches.push(...(await audience.send(1, patienceMs)));
  return reaches;
};

export const warmUp = async (target: GroupTarget, messages: number): Promise<void> => {
  await sendInTurn(target, messages);
  await waitForRest(target, restWithinMs);
};

/** Measures what servers use idle, all at the same time: each has its own processes. */
export const measureIdleUse = async (targets: GroupTarget[], ms: number): Promise<void> => {
  const before = await Promise.all(targets.map(readServerCpu));
  await pause(ms);
  for (const [index, target] of targets.entries()) {
    const { at, redis, others } = serverCpuBetween(before[index]!, await readServerCpu(target));
    target.idle = { redis: redis / at, others: others / at };
  }
};

/** CPU of what `work` causes: the server is at rest before, and again when it is read. */
const costOf = async <T>(target: GroupTarget, work: () => Promise<T>): Promise<{ result: T; used: ServerCpu; rested: boolean }> => {
  const before = await readServerCpu(target);
  const result = await work();
  const rested = await waitForRest(target, restWithinMs);
  const { at, redis, others } = serverCpuBetween(before, await readServerCpu(target));
  return { result, rested, used: { at, redis: redis - target.idle.redis * at, others: others - target.idle.others * at } };
};

export const measureGroup = async (target: GroupTarget, messages: number, burst: number): Promise<GroupRun> => {
  const { result: reaches, used, rested } = await costOf(target, () => sendInTurn(target, messages));
  const run: GroupRun = {
    reaches, redisCpu: used.redis / reaches.length, othersCpu: used.others / reaches.length,
    burstMs: null, burstRedisCpu: null, rested,
  };
  if (!reachedAll(reaches)) return run;
  const together = await costOf(target, () => target.audience.send(burst, patienceMs));
  const complete = reachedAll(together.result);
  return {
    ...run,
    burstMs: complete ? Math.max(...together.result.map(({ reachedMs }) => reachedMs ?? 0)) : null,
    burstRedisCpu: together.used.redis / burst,
    rested: rested && together.rested,
  };
};
