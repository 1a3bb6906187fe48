import type { Frame, Welcome } from '../wire.ts';
import { heartbeatRange } from './limits.ts';

const number = (value: unknown, otherwise: number): number =>
  typeof value === 'number' && Number.isFinite(value) ? value : otherwise;

const defaultServerLimits: Welcome['limits'] = {
  maxBodyBytes: 16_384,
  maxFrameBytes: 65_536,
  pageItems: 200,
  pageBytes: 524_288,
  sendPerSecond: 0,
  receiveWithinMs: 5000,
  levels: ['accepted'],
  recallWithinMs: 0,
  editWithinMs: 0,
};

const noUnread: Welcome['unread'] = { total: 0, conversations: [], more: false };

/**
 * A welcome that can be relied on: numbers that are missing or would stop the client are replaced. Null without a user
 * or an epoch: such a connection is of no use.
 */
export function readWelcome(frame: Frame): Welcome | null {
  const { user, epoch } = frame;
  if (typeof user !== 'string' || typeof epoch !== 'string') return null;
  const given = frame as unknown as Welcome;
  const { minMs, maxMs, defaultMs } = heartbeatRange;
  const heartbeatMs = number(given.heartbeatMs, defaultMs);
  return {
    ...given,
    position: Math.max(0, number(given.position, 0)),
    head: Math.max(0, number(given.head, 0)),
    features: Array.isArray(given.features) ? given.features : [],
    unread: { ...noUnread, ...given.unread },
    heartbeatMs: heartbeatMs >= minMs && heartbeatMs <= maxMs ? heartbeatMs : defaultMs,
    expiresAt: number(given.expiresAt, Number.POSITIVE_INFINITY),
    limits: { ...defaultServerLimits, ...given.limits },
  };
}
