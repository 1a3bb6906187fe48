import type { Direction, LinkStatus } from '../link/api.ts';
import type { Clock } from '../platform/clock.ts';
import type { Environment } from '../platform/environment.ts';
import type { RequestEnd } from '../requests.ts';
import type { Frame } from '../wire.ts';
import {
  newEstimate,
  withFailure,
  withItems,
  withRtt,
  withSend,
  withTransfer,
  type Estimate,
  type Quality,
} from './estimate.ts';
import { paceOf, type Pace } from './pace.ts';

/** Measures the network by what the link tells, and says at which pace to use it. */
export type Meter = {
  readonly quality: Quality;
  readonly estimate: Pick<Estimate, 'rttMs' | 'rate'>;
  readonly pace: Pace;
  request(request: RequestEnd): void;
  traffic(direction: Direction, frame: Frame, length: number): void;
  status(status: LinkStatus): void;
  /** The backlog was read to its end: what is pushed from now on comes when it is sent. */
  synced(): void;
};

export type MeterOptions = {
  clock: Clock;
  environment: Environment;
  receiveWithinMs(): number;
  changed(quality: Quality): void;
};

/** A shorter text says nothing about the rate, a longer one nothing about the round trip. */
const longLength = 2000;
/** Without a connection for so long there is no network, whatever the device says. */
const offlineMs = 30_000;
/** How long the browser's own estimate is believed, if nothing was measured. */
const priorMs = 10_000;
const lostCode = 1006;

export function createMeter({
  clock,
  environment,
  receiveWithinMs,
  changed,
}: MeterOptions): Meter & { readonly estimate: Estimate } {
  const prior = environment.rttMs?.();
  const priorUntil = clock.now() + priorMs;
  let estimate = newEstimate();
  let isAway = false;
  let cancelAway: (() => void) | null = null;
  /** Since when the next page of the backlog is on its way, and whether it was asked for then. */
  let paged: { at: number; asked: boolean } | null = null;
  let inBacklog = false;
  let isPaced = false;

  const level = (): Quality =>
    prior !== undefined && estimate.rttMs === null && clock.now() < priorUntil
      ? withRtt(withRtt(newEstimate(), prior, 0), prior, 0).level
      : estimate.level;
  const quality = (): Quality => (isAway || !environment.online() ? 'offline' : level());
  let told = quality();

  const tell = (): void => {
    if (told === quality()) return;
    told = quality();
    changed(told);
  };

  const take = (next: Estimate): void => {
    estimate = next;
    tell();
  };

  /** Without the way of the question; that is not known well while pages are on the way too. */
  const transferMs = (ms: number): number => Math.max(ms / 2, ms - (estimate.rttMs ?? 0));

  const answered = ({ type, ms, length, answer }: RequestEnd): void => {
    const now = clock.now();
    if (type === 'send') return take(withSend(estimate, ms, now));
    if (type !== 'ping' && type !== 'sync' && type !== 'history') return;
    if (type === 'sync') sized(answer!, length);
    if (length >= longLength) take(withTransfer(estimate, length, transferMs(ms), now));
    // Behind a page whose length was chosen here, an answer says nothing about the way.
    else if (!inBacklog || !isPaced) take(withRtt(estimate, ms, now));
  };

  const sized = ({ items }: Frame, length: number): void => {
    if (Array.isArray(items) && items.length > 0) estimate = withItems(estimate, length, items.length);
  };

  return {
    get quality() {
      return quality();
    },
    get estimate() {
      return estimate;
    },
    get pace() {
      const around = { now: clock.now(), visible: environment.visible(), receiveWithinMs: receiveWithinMs() };
      return paceOf(quality(), estimate, around);
    },
    request(request) {
      if (request.outcome === 'ok') answered(request);
      else if (request.outcome === 'no_answer') take(withFailure(estimate, clock.now()));
    },
    traffic(direction, frame, length) {
      if (direction === 'out') {
        if (inBacklog && frame.type === 'received') paged = { at: clock.now(), asked: true };
      } else if (frame.type === 'welcome') {
        inBacklog = true;
        isPaced = (frame['features'] as unknown[] | undefined)?.includes('paced') === true;
        paged = { at: clock.now(), asked: false };
      } else if (frame.type === 'deliver') {
        sized(frame, length);
        if (paged !== null && length >= longLength) {
          const at = clock.now();
          const ms = at - paged.at;
          take(withTransfer(estimate, length, paged.asked ? transferMs(ms) : ms, at));
        }
        paged = null;
      }
    },
    status({ state, code }) {
      const isWanted = state === 'connecting' || state === 'waiting';
      if (!isWanted) {
        cancelAway?.();
        cancelAway = null;
        isAway = false;
      } else
        cancelAway ??= clock.after(offlineMs, () => {
          isAway = true;
          tell();
        });
      if (state === 'waiting' && code === lostCode && environment.online())
        estimate = withFailure(estimate, clock.now());
      tell();
    },
    synced() {
      inBacklog = false;
      paged = null;
    },
  };
}
