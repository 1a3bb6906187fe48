/**
 * What Redis is told besides where it runs. Operators are told the same, with reasons and measurements:
 * docs/operations/redis-settings.md.
 */
export const redisSettings = {
  appendonly: 'yes',
  appendfsync: 'everysec',
  'auto-aof-rewrite-min-size': '512mb',
  'auto-aof-rewrite-percentage': '100',
  'maxmemory-policy': 'noeviction',
  save: '',
};
