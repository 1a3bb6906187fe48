import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { type Child, createChild, until } from './child-process.ts';
import { freePort } from './free-port.ts';

/** A replica set of real `mongod` processes on this machine. Each can be killed, paused and brought back. */
export type ReplicaSet = {
  /** Names all nodes and the set, but no database. */
  readonly url: string;
  readonly nodes: readonly Child[];
  /** SIGKILL; resolves when gone. */
  kill(node: number): Promise<void>;
  /** Brings a node back on its port and data. */
  start(node: number): Promise<void>;
  /** The node that takes writes; waits until there is one. */
  primary(withinMs?: number): Promise<number>;
  /** Brings every node back; resolves when all of them have the data. */
  heal(): Promise<void>;
  /** Runs an administrator's command on one node. */
  command(node: number, command: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Ends all nodes and removes their data. */
  stop(): Promise<void>;
};

const host = '127.0.0.1';
const setName = 'tests';
const prefix = 'restante-mongod-';
const readyWithinMs = 60_000;
const startTries = 5;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** After a killed test run the kernel ends the servers (child-process.ts); the folders stay until the next run. */
async function clearLeftovers(): Promise<void> {
  const left = (await readdir(tmpdir())).filter(
    (name) => name.startsWith(prefix) && !isAlive(Number(name.slice(prefix.length).split('-')[0])),
  );
  await Promise.all(left.map((name) => rm(join(tmpdir(), name), { recursive: true, force: true })));
}

async function ask(port: number, command: Record<string, unknown>, timeoutMs = 5000): Promise<Record<string, unknown>> {
  const client = new MongoClient(`mongodb://${host}:${port}/?directConnection=true`, {
    serverSelectionTimeoutMS: timeoutMs,
  });
  try {
    return await client.db('admin').command(command);
  } finally {
    await client.close();
  }
}

const answers = (port: number): Promise<true | null> =>
  ask(port, { ping: 1 }, 1000).then(
    () => true as const,
    () => null,
  );

/**
 * Starts a set of `size` nodes and resolves when it takes writes. A set of several nodes elects a new primary within
 * seconds, faster than by default. `mongod` is the path of the program. `publish` resolves the port under which clients
 * and the other nodes reach the node at `port`, such as that of a proxy; by default the port itself.
 */
export async function startReplicaSet(
  mongod: string,
  size: number,
  publish: (port: number) => Promise<number> = async (port) => port,
): Promise<ReplicaSet> {
  await clearLeftovers();
  const folder = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`));
  const nodes: Child[] = [];
  const ports: number[] = [];
  const published: number[] = [];

  const bringUp = async (node: Child, port: number): Promise<void> => {
    await node.start({});
    await until(node, 'answer', readyWithinMs, () => answers(port));
  };

  const startNode = async (index: number): Promise<void> => {
    const data = join(folder, `data-${index}`);
    await mkdir(data);
    // Another program may take the port between our check and its use.
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      const args = [
        '--replSet',
        setName,
        '--bind_ip',
        host,
        '--port',
        String(port),
        '--dbpath',
        data,
        '--nounixsocket',
        '--quiet',
      ];
      const lean = [
        '--wiredTigerCacheSizeGB',
        '0.25',
        '--oplogSize',
        '64',
        '--setParameter',
        'diagnosticDataCollectionEnabled=false',
      ];
      const node = createChild(
        `mongod-${index}`,
        [mongod, ...args, ...lean],
        folder,
        join(folder, `mongod-${index}.log`),
      );
      nodes[index] = node;
      ports[index] = port;
      try {
        await bringUp(node, port);
        return;
      } catch (error) {
        if (attempt === startTries || !(await node.output()).includes('Address already in use')) throw error;
      }
    }
  };

  const set: ReplicaSet = {
    get url() {
      return `mongodb://${published.map((port) => `${host}:${port}`).join(',')}/?replicaSet=${setName}`;
    },
    nodes,
    async kill(node) {
      await nodes[node]!.end('SIGKILL');
    },
    start: (node) => bringUp(nodes[node]!, ports[node]!),
    async primary(withinMs = readyWithinMs) {
      const states = async (): Promise<number | null> => {
        const found = await Promise.all(ports.map((port) => ask(port, { hello: 1 }, 500).catch(() => null)));
        const index = found.findIndex((answer) => answer?.['isWritablePrimary'] === true);
        return index === -1 ? null : index;
      };
      return until(nodes.find(({ alive }) => alive) ?? nodes[0]!, 'elect a primary', withinMs, states);
    },
    async heal() {
      await Promise.all(nodes.map(async (node, index) => (node.alive ? node.resume() : set.start(index))));
      const first = nodes[0]!;
      await until(first, 'have all nodes', readyWithinMs, async () => {
        const answer = await ask(ports[0]!, { replSetGetStatus: 1 }, 1000).catch(() => null);
        const states = ((answer?.['members'] ?? []) as { stateStr: string }[])
          .map(({ stateStr }) => stateStr)
          .toSorted();
        return states[0] === 'PRIMARY' && states.slice(1).every((state) => state === 'SECONDARY') ? true : null;
      });
    },
    command: (node, command) => ask(ports[node]!, command),
    async stop() {
      await Promise.all(nodes.map((node) => node.end('SIGKILL')));
      await rm(folder, { recursive: true, force: true });
    },
  };

  try {
    await Promise.all(Array.from({ length: size }, (_, index) => startNode(index)));
    published.push(...(await Promise.all(ports.map(publish))));
    const members = published.map((port, index) => ({ _id: index, host: `${host}:${port}` }));
    await ask(ports[0]!, {
      replSetInitiate: {
        _id: setName,
        members,
        settings: { electionTimeoutMillis: 2000, heartbeatIntervalMillis: 500 },
      },
    });
    await set.primary();
    return set;
  } catch (error) {
    await set.stop();
    throw error;
  }
}
