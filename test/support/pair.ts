import type { Cluster, Welcomed } from './cluster.ts';

/** Two new users, connected to different gateways. */
export async function connectPair(cluster: Cluster): Promise<{ alice: Welcomed; bob: Welcomed }> {
  const [alice, bob] = await Promise.all([
    cluster.connect(cluster.user('alice')),
    cluster.connect(cluster.user('bob'), { gateway: 2 }),
  ]);
  return { alice, bob };
}

/** A frame `send` with a text for a user. */
export const sendTo = (to: string, clientId: string, body: unknown, more: object = {}) => ({
  type: 'send',
  clientId,
  to,
  kind: 'text',
  body,
  ...more,
});
