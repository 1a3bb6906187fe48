import { without } from '../model/seq-ranges.ts';
import type { BlockRange, SkipRow } from './store.ts';

/**
 * The part of skips over which no block lies. `blocks` are in rising order of firstSeq, and may be of other
 * conversations too.
 */
export const notHeld = (skips: readonly SkipRow[], blocks: readonly BlockRange[]): SkipRow[] =>
  skips.flatMap((skip) => {
    const held = blocks
      .filter(({ conversation }) => conversation === skip.conversation)
      .map(({ firstSeq, lastSeq }) => ({ fromSeq: firstSeq, toSeq: lastSeq }));
    return without([skip], held).map((range) => ({ conversation: skip.conversation, ...range }));
  });
