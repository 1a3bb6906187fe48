import { test } from 'vitest';
import { createClient } from '../../../../sdk/src/client/client.ts';
import { run } from './seeded-run.ts';

/**
 * The promises of the client, whatever happens to network and process: `CLIENT_SEEDS=2000` looks longer, and
 * `CLIENT_SEED=7` repeats one.
 */

const { CLIENT_SEED: one, CLIENT_SEEDS: count = '60' } = process.env;
const seeds = one === undefined ? Array.from({ length: Number(count) }, (_, index) => index + 1) : [Number(one)];

test('all promises hold over cuts, crashes, refusals, repetitions and gaps', { timeout: 3_600_000 }, async () => {
  for (const seed of seeds) {
    await run(seed, createClient).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
  }
});
