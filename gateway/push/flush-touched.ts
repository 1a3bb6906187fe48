import type { Connection } from '../socket/connection.ts';

/**
 * Writes what was handed to these sessions since the last flush, and forgets them. What one throws ends its connection;
 * the others are written.
 */
export function flushTouched(touched: Set<Connection>): void {
  for (const connection of touched) {
    try {
      connection.session!.flush();
    } catch (thrown) {
      connection.faulted(thrown, 'push');
    }
  }
  touched.clear();
}
