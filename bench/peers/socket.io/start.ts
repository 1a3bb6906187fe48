/** Socket.IO on Node with the Redis Streams adapter; and with every message in a database, as its tutorial does it. */
import { join } from 'node:path';
import { installPackages } from '../npm-packages.ts';
import type { Peer } from '../peer.ts';
import { startProgram } from '../start-program.ts';

const folder = import.meta.dirname;

const withDatabase = (database: boolean): Peer => ({
  missing: () => installPackages(folder),
  start: (env) =>
    startProgram(env, {
      name: 'socket.io',
      redis: true,
      prepare: async ({ dir, port, redis }) => ({
        command: [process.execPath, join(folder, 'server.mjs')],
        env: {
          PORT: String(port),
          REDIS_URL: redis!.url,
          ...(database ? { DATABASE: join(dir, 'messages.sqlite') } : {}),
        },
      }),
    }),
});

export const socketIo = withDatabase(false);
export const socketIoStore = withDatabase(true);
