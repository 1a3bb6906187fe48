import type { Prefetching } from '../prefetch/api.ts';
import type { Inside } from './inside.ts';

/** What the option `prefetch` fetches before somebody looks. */
export const createPrefetching = (inside: Inside): Prefetching | undefined => {
  const { options, clock, fault, link, list, meter, intake, conversations } = inside;
  return options.prefetch?.({
    clock,
    now: link.now,
    rows: list.all,
    quality: () => meter.quality,
    async fetch(id, limit) {
      const { messages } = await intake.history.read(id, conversations.target(id), { limit });
      return JSON.stringify(messages).length;
    },
    fault,
  });
};
