/**
 * The port in the log line `{"event":"listening","port":…}`; null for any other line. `role`: only of this role of a
 * process.
 */
export function listeningPort(line: string, role?: string): number | null {
  if (!line.includes('"listening"')) return null;
  try {
    const entry = JSON.parse(line) as { event?: unknown; port?: unknown; role?: unknown };
    if (entry.event !== 'listening' || (role !== undefined && entry.role !== role)) return null;
    return typeof entry.port === 'number' ? entry.port : null;
  } catch {
    // The line is not complete yet.
    return null;
  }
}

/** Whether the process on this port of this machine reports that it is ready. */
export async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
