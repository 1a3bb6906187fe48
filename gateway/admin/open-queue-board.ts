import type { createQueueBoard } from './queue-board.ts';

/** The dashboard is loaded only where somebody may look at it: it takes memory and time at the start. */
export const openQueueBoard: (
  ...given: Parameters<typeof createQueueBoard>
) => Promise<ReturnType<typeof createQueueBoard>> = async (...given) =>
  (await import('./queue-board.ts')).createQueueBoard(...given);
