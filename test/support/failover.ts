import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { vi } from 'vitest';
import { startRedis } from './redis-server.ts';

/** Forwards each new connection to `port`; open connections stay where they are. */
async function startForwarder(
  port: number,
): Promise<{ port: number; lead(port: number): void; close(): Promise<void> }> {
  let target = port;
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    const onward = connect(target, '127.0.0.1');
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      open.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    lead: (next) => void (target = next),
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** One of two nodes, with a connection of the test's own to it. */
export type Node = { readonly port: number; readonly redis: Redis };

/**
 * A primary, its replica, and an address that forwards new connections to one of them. This is how a proxy or a service
 * with a virtual address fails over. Open connections stay at their node.
 */
export async function startPair() {
  const servers = [await startRedis(), await startRedis()] as const;
  const { password } = new URL(servers[0].url);
  const nodes = servers.map(({ url }) => ({ port: Number(new URL(url).port), redis: new Redis(url) })) as unknown as [
    Node,
    Node,
  ];
  for (const { redis } of nodes)
    await redis.config(
      'SET',
      'requirepass',
      password,
      'masterauth',
      password,
      'repl-diskless-sync-delay',
      '0',
      'repl-ping-replica-period',
      '1',
    );
  const forwarder = await startForwarder(nodes[0].port);
  let [primary, replica] = nodes;

  const info = async ({ redis }: Node, field: string): Promise<string | undefined> =>
    new RegExp(`^${field}:(\\S+)`, 'm').exec(await redis.info('replication'))?.[1];
  const inStep = () =>
    vi.waitFor(
      async () => {
        const [link, ours, theirs] = await Promise.all([
          info(replica, 'master_link_status'),
          info(primary, 'master_repl_offset'),
          info(replica, 'master_repl_offset'),
        ]);
        if (link !== 'up' || ours !== theirs)
          throw new Error(`the replica is at ${theirs} of ${ours}, its link is ${link}`);
      },
      { timeout: 15_000, interval: 5 },
    );

  const demote = () => primary.redis.replicaof('127.0.0.1', replica.port);
  async function promote(): Promise<void> {
    await replica.redis.replicaof('NO', 'ONE');
    forwarder.lead(replica.port);
    [primary, replica] = [replica, primary];
  }
  await replica.redis.replicaof('127.0.0.1', primary.port);
  await inStep();

  return {
    url: `redis://:${password}@127.0.0.1:${forwarder.port}`,
    get primary() {
      return primary;
    },
    get replica() {
      return replica;
    },
    inStep,
    /** The primary stops taking writes, and no other node takes them yet. */
    demote,
    /** The replica takes writes and gets new connections. */
    promote,
    /**
     * Both, without losing a write: clients are held at the old primary for a moment, like the FAILOVER command does.
     */
    async failOver(): Promise<void> {
      await primary.redis.call('CLIENT', 'PAUSE', '5000', 'WRITE');
      await inStep();
      const old = primary;
      await promote();
      await old.redis.replicaof('127.0.0.1', primary.port);
      await old.redis.call('CLIENT', 'UNPAUSE');
    },
    async stop(): Promise<void> {
      for (const { redis } of nodes) redis.disconnect();
      await forwarder.close();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

export type Pair = Awaited<ReturnType<typeof startPair>>;
