import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createChild, until } from './child-process.ts';
import { freePort } from './free-port.ts';
import type { ManagedProcess } from './process-group.ts';
// @ts-expect-error The launcher is plain JavaScript for older Node versions; its types are checked on their own.
import { redisSettings } from './redis-settings.mjs';

export type RedisAddress = { readonly port: number; readonly password: string };

export type PrivateRedis = ManagedProcess & RedisAddress & { readonly url: string };

export type PrivateRedisOptions = {
  /** The name of its process; by default `redis`. */
  name?: string;
  /** The directory of its append-only file and its log. */
  dir: string;
  /** The path of the server; by default redis-server. */
  program?: string;
  /** Its PATH is searched for redis-server. Read at each start. */
  env: NodeJS.ProcessEnv;
  /** By default one of its own. A replica has that of its primary. */
  password?: string;
  /** Default: true. */
  appendonly?: boolean;
  /** Additional arguments for redis-server. */
  args?: string[];
  readyWithinMs: number;
};

const host = '127.0.0.1';

/** True if Redis answers a PING. While it loads its file it answers too, but with an error. */
const answers = ({ port, password }: RedisAddress): Promise<true | null> =>
  new Promise((resolve) => {
    const socket = connect(port, host, () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    let said = '';
    const settle = (answer: true | null): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (data) => {
      said += data.toString();
      const [, pong] = said.split('\r\n');
      if (pong !== undefined && pong !== '') settle(pong === '+PONG' ? true : null);
    });
    socket.once('error', () => settle(null));
    socket.setTimeout(1000, () => settle(null));
  });

/**
 * A private Redis on a free port, with a password and the settings that operators are told. It runs from `bringUp` on,
 * and keeps its port and its data.
 */
export async function createPrivateRedis(options: PrivateRedisOptions): Promise<PrivateRedis> {
  const { name = 'redis', program = 'redis-server', dir, appendonly = true, args = [], readyWithinMs } = options;
  const port = await freePort();
  const password = options.password ?? randomBytes(24).toString('base64url');
  // Not among the arguments, which other users of the machine can see.
  const passwordFile = join(dir, 'redis-password.conf');
  await writeFile(passwordFile, `requirepass ${password}\nmasterauth ${password}\n`, { mode: 0o600 });
  const settings: Record<string, string> = {
    port: String(port),
    bind: host,
    dir,
    ...redisSettings,
    appendonly: appendonly ? 'yes' : 'no',
  };
  const command = [program, passwordFile];
  for (const [setting, value] of Object.entries(settings)) command.push(`--${setting}`, value);
  const child = createChild(name, [...command, ...args], dir, join(dir, `${name}.log`));
  return {
    child,
    port,
    password,
    url: `redis://:${password}@${host}:${port}`,
    async bringUp() {
      await child.start(options.env);
      await until(child, 'answer', readyWithinMs, () => answers({ port, password }));
    },
  };
}
