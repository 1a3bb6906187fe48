import type { Redis } from 'ioredis';

/** What the server says of itself. `maxBytes` is 0 where nothing limits it. */
export type ServerMemory = { version: string; usedBytes: number; maxBytes: number };

export async function readServerMemory(redis: Redis): Promise<ServerMemory> {
  const [server, memory] = await Promise.all([redis.info('server'), redis.info('memory')]);
  const field = (text: string, name: string): string => new RegExp(`^${name}:(\\S+)`, 'm').exec(text)?.[1] ?? '';
  return {
    version: field(server, 'redis_version'),
    usedBytes: Number(field(memory, 'used_memory')),
    maxBytes: Number(field(memory, 'maxmemory')),
  };
}
