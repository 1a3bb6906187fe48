import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

/**
 * The recording of one chaos run: a file of JSON lines, one for each event, in the order in which they were seen. All
 * clients run in one process, so a line that comes first also happened first, as far as any client can tell.
 *
 * It holds what went over the wire, unread: the checker parses it with its own code. So a fault in the client's reading
 * can neither hide a broken promise nor invent one.
 */

/** One connection: a user, a device, and the number of its connection, counted from 1. */
export type ClientId = { user: string; device: string; connection: number };

/** What a loss can take away, in order of strength; each level contains the ones before it. */
export type Level = 'accepted' | 'durable' | 'stored';

/** The first event of a run: what it was started with. */
export type RunEvent = {
  type: 'run';
  seed: number;
  fault: string;
  on: string;
  store: string;
  /** The level asked for by sends; a send may ask for another one. */
  level: Level;
  /**
   * `liveness`: the faults end, and everything must arrive. `safety`: nothing need arrive, but nothing may be wrong.
   */
  mode: 'liveness' | 'safety';
  /** Groups above this number of members have no inbox entries. */
  fanoutMaxMembers: number;
  commit?: string;
  /** The wall clock at the beginning (ms since 1970). */
  startedAt: number;
};

export type ClientEvent =
  /** A socket is open, before anything was sent on it. */
  | { type: 'opened'; client: ClientId; url: string }
  /** A socket is closed. `by` says who wanted it: `server` if its end came unasked. 1006 without a close frame. */
  | { type: 'closed'; client: ClientId; code: number; reason: string; by: 'client' | 'server' }
  /** A text frame, exactly as written to or read from the socket. */
  | { type: 'sent'; client: ClientId; text: string }
  | { type: 'received'; client: ClientId; text: string };

/**
 * An HTTP request and its answer, tied by `request`. Membership changes and the dump at the end are requests like any
 * other. `user` is the token's, null for a service token. `status` null: no answer, so the outcome is unknown.
 */
export type HttpEvent =
  | { type: 'request'; request: number; user: string | null; method: string; path: string; body: string | null }
  | { type: 'answer'; request: number; status: number | null; text: string };

/** What the traffic says about itself. */
export type TrafficEvent =
  /** No new sends from here on; repeats of unanswered ones go on. */
  | { type: 'sending-stopped' }
  /** Everything has arrived, or the time for it is over: then `missing` says what has not. */
  | { type: 'drained'; tookMs: number; missing: string[] }
  /**
   * What is read between these two is the final state: every conversation as a service sees it, and every inbox, list
   * and conversation as its users see it. A dump that could not be read to its end is not `complete`.
   */
  | { type: 'dump-begun' }
  | { type: 'dump-ended'; complete: boolean; why?: string };

/** What the runner adds. */
export type RunnerEvent =
  | { type: 'fault-begun'; fault: string; detail?: string }
  | { type: 'fault-ended'; fault: string; detail?: string }
  | { type: 'process'; process: string; did: 'killed' | 'stopped' | 'started' | 'paused' | 'resumed' }
  /**
   * From here on state may be gone, or the only witness of it: an epoch may change. `upTo`: messages that were accepted
   * with this level may be lost, no stronger ones. Null: no message may be lost, but the epoch may change (a process
   * died while Redis was restarted). `certain`: the epoch must change.
   */
  | { type: 'loss-possible'; fault: string; upTo: Level | null; certain?: boolean }
  /** All faults are over: from here on the cluster has to recover by itself. */
  | { type: 'healed' }
  /** An entry was put into a stream that no consumer can process; `marker` stands in its text. */
  | { type: 'poison'; marker: string }
  /**
   * A number that must come back to where it was: `rss`, `redis-memory`, `keys`, `consumers`, `sockets`, `fds`. `of` is
   * the process or group.
   */
  | { type: 'measured'; phase: 'baseline' | 'end'; what: string; of: string; value: number }
  /** What still waits at the end: entries behind a consumer group, entries read and not settled, jobs. */
  /** `one`: of what is pending, who has one of it. */
  | { type: 'waiting'; of: string; lag: number; pending: number; one?: string }
  /** The dead letters at the end, as the admin API gives them (the text of its answers). */
  | { type: 'dead-letters'; text: string };

export type ChaosEvent = RunEvent | ClientEvent | HttpEvent | TrafficEvent | RunnerEvent;

/** An event as read back. `at`: ms since the recording began, by a clock that never goes back. `line` counts from 1. */
export type Recorded = ChaosEvent & { at: number; line: number };

export type Recording = {
  readonly path: string;
  /**
   * Adds an event. Synchronous, so that the order of calls is the order of lines. Throws if the disk refuses. After
   * `close` it does nothing: sockets that end then are no part of the run.
   */
  note(event: ChaosEvent): void;
  /** The milliseconds since the recording began. */
  now(): number;
  /** Writes what is still in memory. */
  close(): void;
};

/** What waits in memory until it is written (characters). */
const bufferedAtMost = 64 * 1024;

/** Writes a recording to a new file. What is not written yet is bounded, whatever the traffic does. */
export function createRecording(path: string): Recording {
  const file = openSync(path, 'w');
  const began = performance.now();
  const now = (): number => Math.round((performance.now() - began) * 100) / 100;
  let waiting: string[] = [];
  let size = 0;
  let closed = false;

  const flush = (): void => {
    const bytes = Buffer.from(waiting.join(''));
    waiting = [];
    size = 0;
    for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
  };

  return {
    path,
    now,
    note(event) {
      if (closed) return;
      const line = `${JSON.stringify({ at: now(), ...event })}\n`;
      waiting.push(line);
      size += line.length;
      if (size > bufferedAtMost) flush();
    },
    close() {
      if (closed) return;
      flush();
      closed = true;
      closeSync(file);
    },
  };
}

/** Reads one line after the other. A last line without its end, of a process that was killed, is left out. */
export function* readRecording(path: string): Generator<Recorded> {
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(bufferedAtMost);
    const decoder = new StringDecoder('utf8');
    let rest = '';
    let line = 0;
    for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
      const lines = (rest + decoder.write(chunk.subarray(0, length))).split('\n');
      rest = lines.pop()!;
      for (const text of lines) yield { ...(JSON.parse(text) as ChaosEvent & { at: number }), line: ++line };
    }
  } finally {
    closeSync(file);
  }
}
