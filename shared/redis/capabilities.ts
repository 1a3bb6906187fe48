const oldestMajor = 7;

/**
 * What is wrong for this project with a Redis that answers so to INFO, one sentence each; empty when it can be used.
 */
export function findRedisFaults(info: string): string[] {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const faults: string[] = [];
  const version = field('redis_version');
  if (Number(version.split('.')[0]) < oldestMajor)
    faults.push(`Redis ${version} is too old: at least ${oldestMajor}.0 is needed`);
  if (field('redis_mode') === 'cluster')
    faults.push('this Redis is a node of a Redis Cluster, which this version does not serve yet');
  const policy = field('maxmemory_policy');
  if (policy !== 'noeviction') {
    faults.push(
      `maxmemory-policy of Redis is ${policy}: it must be noeviction, or Redis deletes accepted messages when it is full`,
    );
  }
  return faults;
}
