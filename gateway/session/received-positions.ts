import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { SeenHead } from '../../shared/recovery/evidence.ts';
import type { Advance } from '../../shared/redis/inboxes/devices.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import type { SessionState } from './session-parts.ts';

/** A received position waits at most this long for others (ms). */
const writeWithinMs = 100;

/** Maximum devices that one call moves: Redis does nothing else while it runs. */
const mostInCall = 500;

/**
 * Writes received positions to the inboxes in batches. Positions that could not be written are tried again with the
 * next batch. If one is lost, the device gets its items again: at-least-once, and clients apply items idempotently.
 */
export function createReceivedPositions(
  inboxes: Pick<Inboxes, 'advance'>,
  keys: Pick<Keys, 'groupOf'>,
  gateway: string,
  log: Logger,
  faults: Faults,
  /** A position that was once handed out is above the head of the inbox: Redis has lost something. */
  refused: (seen: SeenHead) => void,
) {
  const waiting = new Map<SessionState, number>();
  let timer: NodeJS.Timeout | null = null;
  /** Never rejects, because the next write waits for it. */
  let writing: Promise<void> = Promise.resolve();

  async function writeTogether(sessions: [SessionState, number][]): Promise<void> {
    const moves: Advance[] = sessions.map(([{ user, epoch, device, id }, position]) => ({
      user,
      epoch,
      device,
      position,
      gateway,
      session: id,
    }));
    try {
      const outcomes = await inboxes.advance(moves);
      outcomes.forEach((outcome, i) => {
        if (outcome !== 'above') return;
        log.warn({ event: 'advance_refused', user: moves[i]!.user, position: moves[i]!.position });
        refused({ user: moves[i]!.user, epoch: moves[i]!.epoch, head: moves[i]!.position });
      });
    } catch (thrown) {
      log.warn({ event: 'advance_failed', devices: moves.length, reason: reason(thrown) });
      for (const [session, position] of sessions) {
        if (!session.ended) waiting.set(session, Math.max(position, waiting.get(session) ?? 0));
      }
      if (waiting.size > 0) schedule();
    }
  }

  async function write(): Promise<void> {
    const groups = new Map<number, [SessionState, number][]>();
    for (const pair of waiting) {
      const group = keys.groupOf(pair[0].user);
      const found = groups.get(group);
      if (found === undefined) groups.set(group, [pair]);
      else found.push(pair);
    }
    waiting.clear();
    const calls: Promise<void>[] = [];
    for (const sessions of groups.values()) {
      for (let start = 0; start < sessions.length; start += mostInCall)
        calls.push(writeTogether(sessions.slice(start, start + mostInCall)));
    }
    await Promise.all(calls);
  }

  function writeNext(): Promise<void> {
    timer = null;
    writing = writing.then(write).catch((thrown: unknown) => faults.note('timer', thrown));
    return writing;
  }

  function schedule(): void {
    timer ??= setTimeout(() => void writeNext(), writeWithinMs);
  }

  return {
    /** Writes a position soon. Of several for one session only the highest counts. */
    advance(session: SessionState, position: number): void {
      waiting.set(session, Math.max(position, waiting.get(session) ?? 0));
      schedule();
    },
    /** Resolves when all positions known until now are written, or could not be written. */
    flush(): Promise<void> {
      if (timer !== null) clearTimeout(timer);
      return writeNext();
    },
    get waiting(): boolean {
      return waiting.size > 0;
    },
  };
}

export type ReceivedPositions = ReturnType<typeof createReceivedPositions>;
