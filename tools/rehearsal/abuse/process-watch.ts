import { readFileSync } from 'node:fs';
import type { Cluster } from '../../harness/local-cluster.ts';

/** Resident memory in bytes, from Linux; 0 if the process is gone. */
function residentBytes(pid: number | undefined): number {
  if (pid === undefined) return 0;
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Watches the processes of a cluster: which have ended by themselves, and the memory of the first gateway. */
export function watchProcesses(cluster: Cluster) {
  const pids = new Map(cluster.names.map((name) => [name, cluster.child(name).pid]));
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, residentBytes(cluster.child('web-1').pid));
  }, 200);
  return {
    memory: (): number => residentBytes(cluster.child('web-1').pid),
    /** The maximum since the last call. */
    peak(): number {
      const most = peak;
      peak = 0;
      return most;
    },
    /**
     * Exceptions that the processes have contained (`restante_faults_total`), by place; each is a fault of the code.
     */
    async contained(): Promise<Record<string, number>> {
      const found: Record<string, number> = {};
      for (const name of cluster.names) {
        if (name === 'redis' || !cluster.child(name).alive) continue;
        const text = await (await fetch(`http://127.0.0.1:${cluster.port(name)}/metrics`)).text();
        for (const [, where, count] of text.matchAll(/^restante_faults_total\{.*?where="([^"]+)".*?\} (\d+)$/gm)) {
          if (Number(count) > 0) found[`${name} ${where}`] = Number(count);
        }
      }
      return found;
    },
    /** Names of processes that no longer run, or that run as a different process. */
    ended: (): string[] =>
      cluster.names.filter((name) => !cluster.child(name).alive || cluster.child(name).pid !== pids.get(name)),
    stop: (): void => clearInterval(timer),
  };
}
