/**
 * What a deployment stores has one format number, kept with the deployment. It begins with the newest number of the
 * version that made it. `jobs` raises it once every process reads the next one, and it never falls. Nothing that needs
 * a number is written before the deployment is at it.
 *
 *   1  slots that say for which epoch they are open
 *   2  slots that also say for which run of Redis (`open`), since which opening (`gate`), and their `mark`
 *   3  stream entries `amended` and `settings`, and inbox fields of format 2
 *   4  a word behind the position and the time of an ephemeral device
 *   5  the short way of direct messages, and reports that say so
 */

/** The lowest and the highest number that this version reads. */
export const oldestFormats = 1;
export const newestFormats = 5;

/** From this number on, messages may go the short way: every process judges a loss by it. */
export const shortWayFormats = 5;

/** Why this version cannot use a deployment at this number; null if it can. */
export function formatsFault(found: number): string | null {
  if (found >= oldestFormats && found <= newestFormats) return null;
  const reads = `this deployment is at formats ${found}, this version reads ${oldestFormats} to ${newestFormats}`;
  return found > newestFormats ? `${reads}: start the newer version that has used it` : reads;
}
