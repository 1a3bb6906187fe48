/** Seqs and positions jump this far after a loss, beyond anything that can have been given and lost. */
export const lossJump = 1_000_000;
