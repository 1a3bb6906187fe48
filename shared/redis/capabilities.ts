import { infoField } from './server-info.ts';

const oldestMajor = 7;

/** Lists what makes a Redis unfit for this project, one sentence each, from its reply to INFO. Empty if it is fit. */
export function findRedisFaults(info: string): string[] {
  const field = (name: string): string => infoField(info, name);
  const faults: string[] = [];
  const version = field('redis_version');
  if (Number(version.split('.')[0]) < oldestMajor)
    faults.push(`Redis ${version} is too old: at least ${oldestMajor}.0 is needed`);
  if (field('redis_mode') === 'cluster')
    faults.push('this Redis is a node of a Redis Cluster, which this version does not serve yet');
  const policy = field('maxmemory_policy');
  if (policy !== 'noeviction') {
    const why = 'it must be noeviction, or Redis deletes accepted messages when it is full';
    faults.push(`maxmemory-policy of Redis is ${policy}: ${why}`);
  }
  return faults;
}
