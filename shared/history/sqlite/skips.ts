import { notHeld } from '../skips.ts';
import type { BlockRange, SkipRow } from '../store.ts';
import type { Statements } from './database.ts';

/** Returns skips without the seqs that blocks hold. */
export const onlySkipped = ({ read, rows }: Statements, skips: SkipRow[]): SkipRow[] =>
  skips.flatMap((skip) => notHeld([skip], rows<BlockRange>(read.holding, { ...skip })));
