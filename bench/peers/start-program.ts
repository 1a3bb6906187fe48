/** Starts the program of a peer, beside a Redis of its own if it needs one, with data in a temporary directory. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createChild, until, untilLine, type Child } from '../../tools/harness/child-process.ts';
import { freePort } from '../../tools/harness/free-port.ts';
import { createPrivateRedis, type RedisAddress } from '../../tools/harness/private-redis.ts';
import type { Server } from '../cluster.ts';

export type Place = {
  /** For configuration and data. */
  dir: string;
  /** Where users connect. */
  port: number;
  /** Signs the tokens of users, where a peer has tokens. */
  secret: string;
  redis: (RedisAddress & { url: string }) | undefined;
};

export type Program = {
  name: string;
  /** Whether it needs a Redis: one with the settings of Restante's, an append-only file that is synced each second. */
  redis: boolean;
  /** Writes its configuration and says how to start it. */
  prepare: (place: Place) => Promise<{ command: string[]; env?: NodeJS.ProcessEnv }>;
};

const host = '127.0.0.1';
const readyWithinMs = 60_000;

const listens = (port: number): Promise<true | null> =>
  new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(null));
  });

export async function startProgram(env: NodeJS.ProcessEnv, program: Program): Promise<Server> {
  const dir = await mkdtemp(join(tmpdir(), 'restante-peer-'));
  const children: Child[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children.toReversed()) await child.end('SIGTERM');
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const redis = program.redis ? await createPrivateRedis({ dir, env, readyWithinMs }) : undefined;
    if (redis) {
      children.push(redis.child);
      await redis.bringUp();
    }
    const port = await freePort();
    const secret = randomBytes(32).toString('hex');
    const { command, env: own = {} } = await program.prepare({ dir, port, secret, redis });
    const child = createChild(program.name, command, dir, join(dir, `${program.name}.log`));
    children.push(child);
    await child.start({ ...env, ...own });
    await until(child, `listen on port ${port}`, readyWithinMs, () => listens(port));
    const failed = Promise.race(children.map((one) => one.failed()));
    failed.catch(() => {});
    return {
      port,
      authSecret: secret,
      redis,
      processes: Object.fromEntries(children.map(({ name, pid }) => [name, pid ?? 0])),
      ports: {},
      failed,
      line: (pick, withinMs) => untilLine(child, 'say what is waited for', withinMs, pick),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
