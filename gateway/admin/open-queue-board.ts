import type { createBoard } from './queue-board.ts';

/** The dashboard is loaded only where somebody may look at it: it takes memory and time at the start. */
export const openBoard: (...given: Parameters<typeof createBoard>) => Promise<ReturnType<typeof createBoard>> = async (
  ...given
) => (await import('./queue-board.ts')).createBoard(...given);
