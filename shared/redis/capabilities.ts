import type { Redis } from 'ioredis';

const oldestMajor = 7;

/** What is wrong with a Redis for this project, one sentence each; empty when it can be used. */
export async function findRedisFaults(redis: Redis): Promise<string[]> {
  const [server, memory] = await Promise.all([redis.info('server'), redis.info('memory')]);
  const field = (info: string, name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const faults: string[] = [];
  const version = field(server, 'redis_version');
  if (Number(version.split('.')[0]) < oldestMajor) faults.push(`Redis ${version} is too old: at least ${oldestMajor}.0 is needed`);
  if (field(server, 'redis_mode') === 'cluster') faults.push('this Redis is a node of a Redis Cluster, which this version does not serve yet');
  const policy = field(memory, 'maxmemory_policy');
  if (policy !== 'noeviction') {
    faults.push(`maxmemory-policy of Redis is ${policy}: it must be noeviction, or Redis deletes accepted messages when it is full`);
  }
  return faults;
}
