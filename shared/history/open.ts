import { withCold } from './cold/cold.ts';
import { openObjects } from './cold/open-objects.ts';
import { openSqliteStore } from './sqlite/store.ts';
import { openSqliteThread } from './sqlite/thread.ts';
import type { HistoryStore } from './store.ts';

/**
 * The history that HISTORY_URL names: `sqlite:PATH`, `mongodb://…` or `mongodb+srv://…`. `inThread` keeps SQLite off
 * this process's event loop; without a thread `busyMs` bounds how long a call waits for other processes (5 s without
 * it). `coldUrl` names where cold blocks have their texts; without it they cannot be read.
 *
 * Rejects when the URL is none of these, or the file cannot be opened. A MongoDB that is down, or a file in a thread,
 * is an error of each call and not of the opening.
 */
export async function openHistory(
  url: string,
  options: { inThread: boolean; busyMs?: number; coldUrl?: string },
): Promise<HistoryStore> {
  const objects = options.coldUrl ? openObjects(options.coldUrl) : null;
  if (/^mongodb(\+srv)?:\/\//.test(url)) {
    // Its driver takes a process longer to load than all the rest, and those with SQLite do not need it.
    const { openMongoStore } = await import('./mongo/store.ts');
    return withCold(openMongoStore(url), objects);
  }
  const path = url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : '';
  if (path) return withCold(options.inThread ? openSqliteThread(path) : openSqliteStore(path, options), objects);
  // Only the scheme is shown: the rest may hold a password.
  throw new Error(
    `HISTORY_URL begins with "${/^[^:/]{0,20}:?/.exec(url)?.[0] ?? ''}"; ` +
      'it must be sqlite:PATH, mongodb://… or mongodb+srv://…',
  );
}
