import type { createQueueBoard } from './queue-board.ts';

/** Loads the dashboard only where it is used: it costs memory and time at the start. */
export const openQueueBoard: (
  ...given: Parameters<typeof createQueueBoard>
) => Promise<ReturnType<typeof createQueueBoard>> = async (...given) =>
  (await import('./queue-board.ts')).createQueueBoard(...given);
