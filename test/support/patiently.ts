import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster, Hello, Welcomed } from './cluster.ts';

const attempts = 50;
const pauseMs = 100;

/** Connects and tries again while storage is being opened. */
export async function patiently(cluster: Cluster, user: string, hello: Hello = {}): Promise<Welcomed> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await cluster.connect(user, hello);
    } catch (thrown) {
      if (attempt === attempts) throw thrown;
      await pause(pauseMs);
    }
  }
}
