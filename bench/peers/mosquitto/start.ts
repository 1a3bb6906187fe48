/** mosquitto with persistent sessions, which it saves to its file every second. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../find-program.ts';
import type { Peer } from '../peer.ts';
import { startProgram } from '../start-program.ts';

export const mosquitto: Peer = {
  missing: async () =>
    (await findProgram('mosquitto')) === null ? 'no mosquitto on PATH: apt-get install mosquitto' : null,
  start: async (env) => {
    const program = (await findProgram('mosquitto'))!;
    return startProgram(env, {
      name: 'mosquitto',
      redis: false,
      prepare: async ({ dir, port }) => {
        const file = join(dir, 'mosquitto.conf');
        const settings = [
          `listener ${port} 127.0.0.1`,
          'allow_anonymous true',
          'persistence true',
          `persistence_location ${dir}/`,
          'autosave_interval 1',
          // By default it drops what is beyond 1,000 messages of a user.
          'max_queued_messages 0',
          'set_tcp_nodelay true',
          // Started by root, it would become a user that may not write into the directory.
          ...(process.getuid?.() === 0 ? ['user root'] : []),
        ];
        await writeFile(file, `${settings.join('\n')}\n`);
        return { command: [program, '-c', file] };
      },
    });
  },
};
