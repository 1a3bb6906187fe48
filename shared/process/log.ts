import { pino } from 'pino';
import { monotonicMs, wallMs } from '../timing/clocks.ts';

/** Writes one JSON line for an event: a stable `event` name and fields. Never a token, a secret or a message body. */
export type LogLine = { event: string } & Record<string, unknown>;

export type Logger = {
  debug(line: LogLine): void;
  info(line: LogLine): void;
  warn(line: LogLine): void;
  error(line: LogLine): void;
};

/** JSON lines on stdout. `role` names the process (web, fanout, archive, jobs). */
export const createLogger = (role: string, level = 'info'): Logger =>
  pino(
    { level, base: { role, pid: process.pid }, timestamp: () => `,"time":${wallMs()}` },
    pino.destination({ fd: 1, sync: true }),
  );

/**
 * Keeps an outage from becoming a flood of lines: asked for a line about `key`, answers how many were left out since
 * the last one that was said, or null within `everyMs` of it.
 */
export function seldom(everyMs = 1000, now = monotonicMs): (key: string) => number | null {
  const said = new Map<string, { at: number; unsaid: number }>();
  return (key) => {
    const last = said.get(key);
    if (last !== undefined && now() - last.at < everyMs) {
      last.unsaid += 1;
      return null;
    }
    said.set(key, { at: now(), unsaid: 0 });
    return last?.unsaid ?? 0;
  };
}

/** What a log line says about something thrown. */
export const reason = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
