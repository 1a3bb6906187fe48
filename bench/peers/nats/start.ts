/** NATS with JetStream: one stream in files, and a durable consumer for each user. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../find-program.ts';
import type { Peer } from '../peer.ts';
import { startProgram } from '../start-program.ts';
import { openTcp } from '../tcp.ts';
import { streamName, subjectOf } from './client.ts';

const stream = JSON.stringify({ name: streamName, subjects: [subjectOf('*')], storage: 'file', num_replicas: 1 });

/** Creates the stream. Rejects with the server's answer if it does not. */
async function createStream(port: number): Promise<void> {
  const created = Promise.withResolvers<void>();
  const connection = await openTcp({
    port,
    onText: (text) => {
      if (text.includes('"error"') || text.includes('-ERR')) created.reject(new Error(`NATS made no stream: ${text}`));
      else if (text.includes('stream_create_response')) created.resolve();
      return text.includes('stream_create_response') ? text.length : 0;
    },
    onLost: (reason) => created.reject(new Error(reason)),
  });
  connection.write(
    `CONNECT {"verbose":false}\r\nSUB made 1\r\n` +
      `PUB $JS.API.STREAM.CREATE.${streamName} made ${stream.length}\r\n${stream}\r\n`,
  );
  try {
    await created.promise;
  } finally {
    await connection.close();
  }
}

export const nats: Peer = {
  missing: async () =>
    (await findProgram('nats-server')) === null ? 'no nats-server on PATH: apt-get install nats-server' : null,
  start: async (env) => {
    const program = (await findProgram('nats-server'))!;
    const server = await startProgram(env, {
      name: 'nats',
      redis: false,
      prepare: async ({ dir, port }) => {
        const file = join(dir, 'nats.conf');
        await writeFile(file, `host: 127.0.0.1\nport: ${port}\njetstream { store_dir: "${dir}" }\n`);
        return { command: [program, '-c', file] };
      },
    });
    try {
      await createStream(server.port);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  },
};
