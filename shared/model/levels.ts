/**
 * What an accepted message has survived when its sender is told, lowest first. Every level implies those before it.
 *
 * - `accepted`: it is in the message stream.
 * - `durable`: Redis has it on disk, or its replicas have it, as the operator has set (DURABLE_BY, DURABLE_REPLICAS).
 * - `stored`: history has confirmed it.
 */
export const levels = ['accepted', 'durable', 'stored'] as const;
export type Level = (typeof levels)[number];

/** Whether `reached` is `asked` or higher. */
export const isReached = (reached: Level, asked: Level): boolean => levels.indexOf(reached) >= levels.indexOf(asked);
