import { setTimeout as pause } from 'node:timers/promises';

/** The store opens a call again until it is answered, as every caller of it does. */
export async function untilAnswered<T>(task: () => Promise<T>, withinMs = 60_000): Promise<T> {
  for (const deadline = performance.now() + withinMs; ;) {
    try {
      return await task();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await pause(10);
    }
  }
}
