import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** `url` names no database; `name` says what the rows ran against, since not all of them prove the same. */
export type MongoServer = { url: string; name: string; stop(): Promise<void> };

const run = promisify(execFile);
const source = join(import.meta.dirname, '..', 'mongo-server');
const downloadHost = 'https://fastdl.mongodb.org/';

const onPath = async (program: string): Promise<string | null> => {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(folder, program);
    if (folder && (await access(file).then(() => true, () => false))) return file;
  }
  return null;
};

/** The same server with a database named in its URL. */
export const withDatabase = (url: string, database: string): string => {
  const match = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(url);
  if (!match) throw new Error('not a MongoDB URL');
  return `${match[1]}/${database}${match[2] ?? ''}`;
};

/** MongoDB itself, as a replica set of one: `mongod` from this machine, or downloaded by mongodb-memory-server. */
const startMongod = async (systemBinary: string | null): Promise<MongoServer> => {
  const { MongoMemoryReplSet } = await import('mongodb-memory-server-core');
  const server = await MongoMemoryReplSet.create({
    replSet: { count: 1, storageEngine: 'wiredTiger' },
    ...(systemBinary ? { binary: { systemBinary } } : {}),
  });
  const which = systemBinary ? `mongod at ${systemBinary}` : 'mongod downloaded by mongodb-memory-server';
  return {
    url: server.getUri(),
    name: `MongoDB (${which}, a replica set of one)`,
    async stop() {
      await server.stop({ doCleanup: true });
    },
  };
};

/**
 * Builds test/mongo-server once for all checkouts and runs with the same sources. Builders at the same moment each build
 * beside the place and put theirs there in one step.
 */
const buildFerret = async (go: string): Promise<string> => {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum', 'main.go']) hash.update(await readFile(join(source, file)));
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'restante');
  const binary = join(cache, `mongo-server-${hash.digest('hex').slice(0, 16)}`);
  if (await access(binary).then(() => true, () => false)) return binary;
  await mkdir(cache, { recursive: true });
  const unfinished = `${binary}.${randomUUID()}`;
  console.log('Building the MongoDB test server (FerretDB) once; this may take some minutes.');
  try {
    await run(go, ['build', '-trimpath', '-buildvcs=false', '-o', unfinished, '.'], { cwd: source, timeout: 900_000 });
    await rename(unfinished, binary);
  } finally {
    await rm(unfinished, { force: true });
  }
  return binary;
};

const stopChild = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(timer);
};

/** FerretDB ends when its stdin does, so it does not outlive a test run that was killed. */
const startFerret = async (go: string): Promise<MongoServer> => {
  const binary = await buildFerret(go);
  const folder = await mkdtemp(join(tmpdir(), 'restante-ferretdb-'));
  const child = spawn(binary, [folder], { stdio: ['pipe', 'pipe', 'ignore'] });
  const lines = createInterface({ input: child.stdout });
  const url = await Promise.race([
    once(lines, 'line').then(([line]) => String(line)),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`FerretDB ended with ${code} when it was started`))),
  ]);
  const version = /FerretDB\/FerretDB v(\S+)/.exec(await readFile(join(source, 'go.mod'), 'utf8'))?.[1];
  return {
    url,
    name: `FerretDB ${version} (MongoDB's wire protocol over SQLite)`,
    async stop() {
      await stopChild(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
};

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';

/**
 * A server that speaks MongoDB's protocol for tests: the one MONGODB_TEST_URL names, a `mongod` of this machine, FerretDB
 * where Go is installed, else MongoDB downloaded if its site can be reached. When there is none, the reasons.
 */
export const mongoServer = async (): Promise<MongoServer | { skipped: string }> => {
  const given = process.env['MONGODB_TEST_URL'];
  if (given) return { url: given, name: 'the server of MONGODB_TEST_URL', async stop() {} };

  const reasons: string[] = [];
  const attempt = (what: string, start: () => Promise<MongoServer>): Promise<MongoServer | null> =>
    start().catch((error: unknown) => {
      reasons.push(`${what}: ${firstLine(error)}`);
      return null;
    });

  const mongod = process.env['MONGOMS_SYSTEM_BINARY'] ?? (await onPath('mongod'));
  const own = mongod && (await attempt('mongod', () => startMongod(mongod)));
  if (own) return own;
  if (!mongod) reasons.push('no mongod on PATH');

  const go = await onPath('go');
  const ferret = go && (await attempt('FerretDB', () => startFerret(go)));
  if (ferret) return ferret;
  if (!go) reasons.push('no Go to build FerretDB');

  const downloaded = await attempt('download of MongoDB', async () => {
    await fetch(downloadHost, { method: 'HEAD', signal: AbortSignal.timeout(3000) }).catch(() => {
      throw new Error(`${downloadHost} cannot be reached`);
    });
    return startMongod(null);
  });
  return downloaded ?? { skipped: reasons.join('; ') };
};
