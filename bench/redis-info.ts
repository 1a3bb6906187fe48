/**
 * The figures of a Redis about itself, over a plain socket. Its CPU time is in microseconds, while `/proc` counts ticks
 * of 10 ms: one message of a large group costs less than a tick.
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { RedisAddress } from './cluster.ts';

export type RedisInfo = {
  /** CPU seconds of the process and its threads so far. */
  cpuSeconds: () => Promise<number>;
  /** Commands carried out so far, those that scripts call included. */
  commands: () => Promise<number>;
  /** Allocated bytes, without the buffers of its connections and of its file. */
  usedBytes: () => Promise<number>;
  close: () => void;
};

export function openRedisInfo({ port, password }: RedisAddress): RedisInfo {
  const socket = connect({ host: '127.0.0.1', port });
  const lines = createInterface({ input: socket, crlfDelay: Infinity })[Symbol.asyncIterator]();
  socket.on('error', () => {}); // The error ends the iterator below.
  socket.write(`AUTH ${password}\r\n`);
  const authenticated = lines.next();

  /** One request at a time: the reply is a line with its length, that many bytes, and an empty line. */
  const section = async (name: string): Promise<Map<string, number>> => {
    if ((await authenticated).value !== '+OK') throw new Error('Redis did not take the password');
    socket.write(`INFO ${name}\r\n`);
    const fields = new Map<string, number>();
    let left: number | undefined;
    while (left === undefined || left > 0) {
      const { value: line, done } = await lines.next();
      if (done) throw new Error('Redis went away');
      if (left === undefined) {
        if (!/^\$\d+$/.test(line)) throw new Error(`Redis answered INFO with ${line}`);
        left = Number(line.slice(1));
        continue;
      }
      left -= Buffer.byteLength(line) + 2;
      const colon = line.indexOf(':');
      if (colon > 0) fields.set(line.slice(0, colon), Number(line.slice(colon + 1)));
    }
    await lines.next();
    return fields;
  };
  const field = (fields: Map<string, number>, name: string): number => {
    const value = fields.get(name);
    if (value === undefined || Number.isNaN(value)) throw new Error(`INFO has no number ${name}`);
    return value;
  };

  return {
    cpuSeconds: async () => {
      const fields = await section('cpu');
      return field(fields, 'used_cpu_user') + field(fields, 'used_cpu_sys');
    },
    commands: async () => field(await section('stats'), 'total_commands_processed'),
    usedBytes: async () => {
      const fields = await section('memory');
      return field(fields, 'used_memory') - field(fields, 'mem_clients_normal') - field(fields, 'mem_aof_buffer');
    },
    close: () => socket.destroy(),
  };
}
