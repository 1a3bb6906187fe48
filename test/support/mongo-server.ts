import { findMongod } from '../../tools/harness/mongod.ts';
import { startReplicaSet } from '../../tools/harness/replica-set.ts';

/** `url` names no database; `name` describes the server that the tests ran against. */
export type MongoServer = { url: string; name: string; stop(): Promise<void> };

/** The same server with a database named in its URL. */
export function withDatabase(url: string, database: string): string {
  const match = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(url);
  if (!match) throw new Error('not a MongoDB URL');
  return `${match[1]}/${database}${match[2] ?? ''}`;
}

/**
 * MongoDB for tests: the replica set that MONGODB_TEST_URL names, with one or several hosts. Otherwise a set with a
 * single node is started here. If there is no MongoDB, the reasons.
 */
export async function mongoServer(): Promise<MongoServer | { skipped: string }> {
  const given = process.env['MONGODB_TEST_URL'];
  if (given) return { url: given, name: 'the server of MONGODB_TEST_URL', async stop() {} };
  const mongod = await findMongod();
  if ('missing' in mongod) return { skipped: mongod.missing };
  const set = await startReplicaSet(mongod.path, 1);
  return { url: set.url, name: `a replica set of one, ${mongod.from}`, stop: () => set.stop() };
}
