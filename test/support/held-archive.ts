import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProxy } from '../../tools/rehearsal/chaos/proxy.ts';

/** Keeps an archive from storing the batch that it has read. `env` is for its process. */
export type HeldArchive = {
  readonly env: Record<string, string>;
  hold(): void;
  /** Whether it stands still. One that stores in MongoDB only waits. */
  readonly isHeld: boolean;
  release(): void;
  remove(): Promise<void>;
};

/** With SQLite the whole process stands still, as one that is paused. */
export function heldWithSqlite(): HeldArchive {
  const folder = mkdtempSync(join(tmpdir(), 'restante-held-'));
  const file = join(folder, 'hold');
  const preload = fileURLToPath(new URL('./hold-history.ts', import.meta.url));
  const release = (): void => rmSync(file, { force: true });
  return {
    env: { HOLD_HISTORY: file, NODE_OPTIONS: `--import ${preload}` },
    hold: () => writeFileSync(file, ''),
    get isHeld() {
      return existsSync(`${file}.held`);
    },
    release,
    async remove() {
      release();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Less than the driver takes to give up a server (ms). A write makes at least three requests. */
const lateByMs = 2500;

/** With MongoDB its requests come late. `url`: of a server on this machine. */
export async function heldWithMongo(url: string): Promise<HeldArchive> {
  const proxy = await startProxy(Number(/:(\d+)\//.exec(url)![1]));
  return {
    env: {
      HISTORY_URL: `${url.replace(/\/\/[^/]+/, `//127.0.0.1:${proxy.port}`).replace(/\?.*/, '')}?directConnection=true`,
    },
    hold: () => proxy.delay(lateByMs),
    isHeld: true,
    release: () => proxy.pass(),
    remove: () => proxy.close(),
  };
}
