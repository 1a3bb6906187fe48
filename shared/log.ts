import { pino } from 'pino';
import { wallMs } from './clocks.ts';

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
  pino({ level, base: { role, pid: process.pid }, timestamp: () => `,"time":${wallMs()}` }, pino.destination({ fd: 1, sync: true }));

/** What a log line says about something thrown. */
export const reason = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
