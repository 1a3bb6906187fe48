import { expect, onTestFinished, vi } from 'vitest';
import type { Client, ClientOptions } from '../../sdk/src/client/api.ts';
import { createClient } from '../../sdk/src/client/client.ts';
import type { ClientEvent } from '../../sdk/src/client/observer.ts';
import { type Proxy, startProxy } from '../../tools/rehearsal/chaos/proxy.ts';
import type { Cluster } from './cluster.ts';

/** A client of the package whose network the test makes slow, cuts and mends. */
export type ClientOnNetwork = {
  client: Client;
  /** Between the client and the first gateway. */
  proxy: Proxy;
  faults: string[];
  /** Frames that went out or came in, and how requests ended. */
  events: ClientEvent[];
  /** How many frames of this direction and type there were. */
  count(direction: 'in' | 'out', name: string): number;
};

/**
 * Everything is closed when the test is over. The client is not connected yet. Tests that run at the same time give
 * the `onTestFinished` of their context.
 */
export async function openOnNetwork(
  cluster: Cluster,
  user: string,
  options: Partial<ClientOptions> = {},
  whenFinished: (close: () => Promise<void>) => void = onTestFinished,
): Promise<ClientOnNetwork> {
  const proxy = await startProxy(Number(new URL(cluster.url()).port));
  const events: ClientEvent[] = [];
  const client = createClient({
    url: `ws://127.0.0.1:${proxy.port}`,
    getToken: () => cluster.token(user),
    device: 'phone',
    onEvent: (event) => events.push(event),
    ...options,
  });
  const faults: string[] = [];
  client.on('fault', ({ error, where }) => faults.push(`${where}: ${error.message}`));
  whenFinished(async () => {
    await client.close();
    await proxy.close();
  });
  return {
    client,
    proxy,
    faults,
    events,
    count: (direction, name) => events.filter((one) => one.direction === direction && one.name === name).length,
  };
}

export const synced = (client: Client, timeout = 20_000): Promise<void> =>
  vi.waitFor(() => expect(client.status.get().synced).toBe(true), { timeout });
