import type { Redis } from 'ioredis';
import { infoField } from './server-info.ts';

/** Version and memory of the server. `maxBytes` is 0 if nothing limits it. */
export type ServerMemory = { version: string; usedBytes: number; maxBytes: number };

export async function readServerMemory(redis: Redis): Promise<ServerMemory> {
  const [server, memory] = await Promise.all([redis.info('server'), redis.info('memory')]);
  return {
    version: infoField(server, 'redis_version'),
    usedBytes: Number(infoField(memory, 'used_memory')),
    maxBytes: Number(infoField(memory, 'maxmemory')),
  };
}
