import type { BackoffRange } from '../../sdk/src/backoff.ts';
import type { Accepted } from '../../sdk/src/wire.ts';
import { connectDevice, type Device } from './device/device.ts';
import { readMissing } from './device/gap-reading.ts';
import type { DeviceRecord } from './irc/check.ts';
import { merged } from './irc/spans.ts';

/** One device of the rehearsal, with the raw record of everything it received. */
export type DeviceRecorder = {
  user: string;
  mode: 'push' | 'pull';
  device: Device;
  record: DeviceRecord;
  /** A sleeper that is offline stays offline for long, so that its inbox overflows. */
  sleeper: boolean;
  say(kind: string, body: unknown): Promise<Pick<Accepted, 'clientId' | 'message'>>;
  has(seq: number): boolean;
};

export type DeviceRecorderOptions = {
  url: () => string;
  token: () => Promise<string>;
  user: string;
  deviceId: string;
  mode: 'push' | 'pull';
  sleeper: boolean;
  conversation: string;
  reconnect: BackoffRange;
  random: () => number;
  /** Equal texts share one string: hundreds of devices receive every message. */
  intern(text: string): string;
};

export function createDeviceRecorder(options: DeviceRecorderOptions): DeviceRecorder {
  const { user, deviceId, mode, conversation, intern } = options;
  const record: DeviceRecord = {
    user,
    device: deviceId,
    arrivals: [],
    own: new Set(),
    gaps: [],
    asked: [],
    filled: new Map(),
    violations: [],
  };
  const arrived = new Set<number>();
  const note = (text: string): void => {
    if (record.violations.length < 20) record.violations.push(text);
  };

  const device = connectDevice({
    url: options.url,
    token: options.token,
    device: deviceId,
    mode,
    reconnect: options.reconnect,
    random: options.random,
    events: {
      item({ position, message }) {
        if (message.conversation !== conversation)
          return note(`a message of another conversation: ${message.conversation}`);
        const text = intern(JSON.stringify(message));
        record.arrivals.push({ epoch: device.epoch ?? '', position: position ?? null, seq: message.seq, text });
        arrived.add(message.seq);
      },
      gap(gap) {
        if (gap.conversation === conversation) record.gaps.push({ fromSeq: gap.fromSeq, toSeq: gap.toSeq });
        else note(`a gap of another conversation: ${gap.conversation}`);
      },
      violation: ({ kind, ...detail }) => note(`${kind} ${JSON.stringify(detail)}`),
      status({ state, code, reason }) {
        if (state === 'closed' && code !== undefined) note(`the server closed for good: ${code} ${reason ?? ''}`);
      },
      frame(frame) {
        if (frame.type === 'error') note(`error without a request: ${JSON.stringify(frame)}`);
      },
      fault(error, where) {
        if (where === 'frame') note(`a frame that cannot be read: ${error.message}`);
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
}

/**
 * Reads messages from history that were announced as a gap and have not arrived otherwise. The check reports those that
 * are missing afterwards.
 */
export async function fillGaps(
  recorder: DeviceRecorder,
  conversation: string,
  intern: (text: string) => string,
): Promise<void> {
  const { record, device } = recorder;
  for (const gap of merged(record.gaps)) {
    await readMissing(gap, {
      has: (seq) => recorder.has(seq),
      read(range) {
        record.asked.push(range);
        return device.history({ conversation, after: range.fromSeq - 1, limit: range.toSeq - range.fromSeq + 1 });
      },
      take: (message) => void record.filled.set(message.seq, intern(JSON.stringify(message))),
    });
  }
}
