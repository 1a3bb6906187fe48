import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
/** The benchmark installs them when it compares; this test does not. */
const installed = existsSync(join(root, 'bench/peers/socket.io/node_modules'));

test.runIf(installed)(
  'a comparison measures a peer beside the echo server, and loses nothing',
  async () => {
    const args = ['bench/main.ts', '--peers', '--quick', '--only', 'saturation', '--systems', 'echo,socket.io-store'];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
    const { cases } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { cases: Record<string, unknown>[] };
    for (const system of ['echo', 'socket.io-store']) {
      const saturation = cases.find((one) => one['name'] === 'saturation' && one['system'] === system);
      expect(saturation).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, strayed: 0, unanswered: 0 });
      expect(saturation!['delivered_per_s']).toBeGreaterThan(0);
    }
  },
  240_000,
);
