import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { withCold } from '../../../shared/history/cold/cold.ts';
import { openFolder } from '../../../shared/history/cold/folder.ts';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import { createMetrics } from '../../../shared/process/metrics.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { createCooling } from '../../../workers/compaction/cooling.ts';

/**
 * Moves what ends before a moment into a folder, ten blocks for each line that it is told, for tests that kill it. Says
 * `ready` first.
 */
const [url, prefix, path, folder, before] = process.argv.slice(2) as [string, string, string, string, string];
const redis = new Redis(url);
const objects = openFolder(folder);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let puts = 0;
const put: typeof objects.put = async (name, bytes) => {
  if (puts++ % 10 === 0) await lines.next();
  await objects.put(name, bytes);
};
const history = withCold(openSqliteStore(path), objects);
process.stdout.write('ready\n');
await createCooling({
  redis,
  keys: createKeys(prefix, 1, 1),
  history,
  objects: { ...objects, put },
  metrics: createMetrics('test'),
  afterMs: 0,
  least: 1,
  now: () => Number(before),
})();
process.stdin.destroy();
redis.disconnect();
await history.close();
