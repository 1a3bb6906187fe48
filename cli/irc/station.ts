import { connect } from '../device.ts';
import type { Device } from '../device/api.ts';
import type { BackoffRange } from '../device/backoff.ts';
import type { Accepted, Mode } from '../device/wire.ts';
import type { DeviceRecord } from './check.ts';
import { covers } from './spans.ts';

/** One device of the rehearsal with the raw record of all that came to it. */
export type Station = {
  user: string;
  mode: Mode;
  device: Device;
  record: DeviceRecord;
  /** Stays away for long once it is away, so that its inbox overflows. */
  sleeper: boolean;
  say(kind: string, body: unknown): Promise<Accepted>;
  has(seq: number): boolean;
};

export type StationOptions = {
  url: () => string;
  token: () => Promise<string>;
  user: string;
  deviceId: string;
  mode: Mode;
  sleeper: boolean;
  conversation: string;
  reconnect: BackoffRange;
  random: () => number;
  /** Equal texts share one string: every message comes to hundreds of devices. */
  intern(text: string): string;
};

export const createStation = (options: StationOptions): Station => {
  const { user, deviceId, mode, conversation, intern } = options;
  const record: DeviceRecord = {
    user, device: deviceId, arrivals: [], own: new Set(), gaps: [], filled: new Map(), violations: [],
  };
  const arrived = new Set<number>();
  const note = (text: string): void => {
    if (record.violations.length < 20) record.violations.push(text);
  };

  const device = connect(options.url, options.token, deviceId, {
    mode,
    reconnect: options.reconnect,
    random: options.random,
    events: {
      item({ position, message }) {
        if (message.conversation !== conversation) return note(`a message of another conversation: ${message.conversation}`);
        const text = intern(JSON.stringify(message));
        record.arrivals.push({ epoch: device.epoch ?? '', position: position ?? null, seq: message.seq, text });
        arrived.add(message.seq);
      },
      gap(gap) {
        if (gap.conversation === conversation) record.gaps.push({ fromSeq: gap.fromSeq, toSeq: gap.toSeq });
        else note(`a gap of another conversation: ${gap.conversation}`);
      },
      violation: ({ kind, ...detail }) => note(`${kind} ${JSON.stringify(detail)}`),
      state(state, { code, reason }) {
        if (state === 'closed' && code !== undefined) note(`the server closed for good: ${code} ${reason ?? ''}`);
      },
      frame(frame) {
        if (frame.type === 'error') note(`error without a request: ${JSON.stringify(frame)}`);
      },
    },
  });

  return {
    user,
    mode,
    device,
    record,
    sleeper: options.sleeper,
    async say(kind, body) {
      const accepted = await device.send({ conversation, kind, body });
      record.own.add(accepted.message.seq);
      return accepted;
    },
    has: (seq) => arrived.has(seq) || record.own.has(seq) || record.filled.has(seq),
  };
};

/** Reads from history what was announced as a gap and has not come any other way. */
export const fillGaps = async (station: Station, conversation: string, intern: (text: string) => string): Promise<void> => {
  const { record, device } = station;
  const missing = new Set<number>();
  for (const gap of record.gaps) {
    for (let seq = gap.fromSeq; seq <= gap.toSeq; seq++) if (!station.has(seq)) missing.add(seq);
  }
  while (missing.size > 0) {
    const first = Math.min(...missing);
    const page = await device.history({ conversation, after: first - 1, limit: 100 });
    for (const message of page.messages) {
      if (missing.delete(message.seq)) record.filled.set(message.seq, intern(JSON.stringify(message)));
    }
    for (const seq of missing) if (covers(page.absent, seq)) missing.delete(seq);
    const reached = page.messages.at(-1)?.seq ?? 0;
    // What the page passed over without a word is missing, and the check will say so.
    for (const seq of missing) if (seq <= reached || !page.more) missing.delete(seq);
  }
};
