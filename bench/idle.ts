/**
 * Measures the cost of an idle open connection. The first thousand connections make a process grow once by many
 * megabytes: code, pools, the heap. They are opened first, as warm-up. They stay open, or their memory could be used a
 * second time. The cost of a connection is the growth from the next ones, after a garbage collection, divided by their
 * number.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Server } from './cluster.ts';
import { connectUser, openMany, type System } from './connect-user.ts';
import { openInspector, type Inspector } from './inspector.ts';
import { median } from './median.ts';
import { residentBytes } from './proc.ts';
import type { Connection } from './socket.ts';

export type IdleResult = {
  connections: number;
  /** Growth of resident memory and of the JavaScript heap, per connection. */
  residentBytes: number;
  heapBytes: number;
};

export const warmUpConnections = 1000;
const readings = 5;
const betweenReadingsMs = 200;
/** Time for the work that follows a connect: leases, batches, timers. */
const settleMs = 1000;

async function readMemory(pid: number, inspector: Inspector): Promise<{ resident: number; heap: number }> {
  await pause(settleMs);
  const resident: number[] = [];
  const heap: number[] = [];
  for (let reading = 0; reading < readings; reading += 1) {
    await inspector.collectGarbage();
    await pause(betweenReadingsMs);
    resident.push(residentBytes(pid));
    heap.push(await inspector.heapBytes());
  }
  return { resident: median(resident), heap: median(heap) };
}

/** `pid` is the process that holds the sockets, started with `inspectorOptions`; `count` connections are measured. */
export async function measureIdle(server: Server, system: System, pid: number, count: number): Promise<IdleResult> {
  const inspector = await openInspector(server);
  const connections: Connection[] = [];
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {});
  const open = (index: number): Promise<Connection> =>
    connectUser({ ...server, system, user: `idle-${index}`, onTexts: () => {}, onLost: lost.reject });
  const openUpTo = async (total: number): Promise<void> => {
    connections.push(...(await openMany(connections.length, total, open)));
  };
  const grow = async (): Promise<IdleResult> => {
    await openUpTo(warmUpConnections);
    const before = await readMemory(pid, inspector);
    await openUpTo(warmUpConnections + count);
    const after = await readMemory(pid, inspector);
    return {
      connections: count,
      residentBytes: (after.resident - before.resident) / count,
      heapBytes: (after.heap - before.heap) / count,
    };
  };
  try {
    return await Promise.race([grow(), lost.promise, server.failed]);
  } finally {
    inspector.close();
    await Promise.all(connections.map((connection) => connection.close()));
  }
}
