import type { createBoard } from './board.ts';

/** The dashboard is loaded only where somebody may look at it: it takes memory and time at the start. */
export const openBoard: (...given: Parameters<typeof createBoard>) => Promise<ReturnType<typeof createBoard>> = async (
  ...given
) => (await import('./board.ts')).createBoard(...given);
