import type { Part } from '../client/part.ts';
import { createCache, defaultCache } from '../storage/cache.ts';

/** After so long a bad network does not become good at once. */
const longBadMs = 60_000;

/** The storage is kept within the limits of the option `cache`, and gives room when the browser has none. */
export const eviction: Part = (inside) => {
  const { clock, fault, options } = inside;
  let qualityAt = 0;
  inside.on('quality', () => void (qualityAt = clock.now()));
  inside.cache = createCache({
    storage: () => inside.storage,
    change: (change) => inside.writer.change(change),
    clock,
    limits: { ...defaultCache, ...options.cache },
    isOpen: (id) => inside.conversations.isOpen(id),
    owes: () => inside.intake.owes,
    careful: () => inside.meter.quality === 'bad' && clock.now() - qualityAt > longBadMs,
    fault,
  });
  return {};
};
