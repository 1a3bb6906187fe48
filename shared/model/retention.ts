const dayMs = 86_400_000;

/** Retention of a number of days in ms. 0 days: without limit. */
export const keptMs = (days: number): number => (days === 0 ? Infinity : days * dayMs);

/**
 * How long history keeps the messages of a conversation (ms): by its own days, or as the deployment keeps those of
 * every other one.
 */
export const historyKeptMs = ({ historyDays }: { historyDays: number | null }, defaultMs: number): number =>
  historyDays === null ? defaultMs : keptMs(historyDays);
