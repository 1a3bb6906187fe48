import { fullJitter } from '../../../../sdk/src/backoff.ts';
import { newClientId } from '../../../../sdk/src/client-id.ts';
import type { Random } from '../../irc/random.ts';
import type { Level } from '../recording.ts';
import type { Device } from './device.ts';
import type { RecordedHttp } from './http.ts';

/**
 * The outgoing messages of one user. Each goes out by a device, by HTTP, or by a service in the user's name, until it
 * has a final answer; every attempt has the same clientId. After a loss, what was accepted since then goes out again.
 */
export type Draft = { to: string } | { conversation: string };

export type Sender = {
  send(draft: Draft, body: unknown): void;
  /** The deployment lost state: what was accepted at or after this moment (ms since 1970) may be gone. */
  repeatSince(lostSince: number): void;
  /** Messages without a final answer. */
  readonly open: number;
  /** Gives up what has no answer yet. */
  stop(): void;
};

export type SenderParts = {
  user: string;
  devices: readonly Device[];
  http: RecordedHttp;
  random: Random;
  level: Level;
  accepted(): void;
};

type Outgoing = { clientId: string; kind: string; body: unknown; class?: 'important'; level?: Level } & Draft;
type Outcome = { accepted: { conversation: string; seq: number; at: number } } | 'refused' | 'open';

const pauses = { minMs: 30, maxMs: 2000 };
/** Accepted messages that are remembered for `repeatSince`. */
const mostRemembered = 5000;

export function createSender({ user, devices, http, random, level, accepted }: SenderParts): Sender {
  let done: { message: Outgoing; at: number }[] = [];
  let open = 0;
  let stopped = false;
  let plain = 0;
  const timers = new Set<NodeJS.Timeout>();

  /** `answer`: an `accepted` frame or the body of a 2xx, an error, or null. */
  const outcomeOf = (answer: Record<string, unknown> | null): Outcome => {
    if (answer === null) return 'open';
    if (answer['message'] !== undefined && typeof answer['message'] === 'object')
      return { accepted: answer['message'] as { conversation: string; seq: number; at: number } };
    const error = (answer['error'] ?? answer) as { code?: string; retryable?: boolean };
    return error.retryable === true || error.code === 'unknown_outcome' ? 'open' : 'refused';
  };

  async function attempt(message: Outgoing, sentBy: Set<Device>): Promise<Outcome> {
    const connected = devices.filter((device) => device.isConnected);
    if (connected.length > 0 && random.chance(0.85)) {
      const device = random.pick(connected);
      sentBy.add(device);
      return outcomeOf(await device.ask({ type: 'send', ...message }));
    }
    const asService = random.chance(0.3);
    const body = asService ? { ...message, sender: user } : message;
    // A service has to name the conversation: it has no direct ones of its own.
    const answer =
      asService && 'conversation' in message
        ? await http.request(null, 'POST', '/messages', body)
        : await http.request(user, 'POST', '/messages', message);
    return outcomeOf(answer === null ? null : (answer.body as Record<string, unknown>));
  }

  const later = (ms: number, act: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, ms);
    timers.add(timer);
  };

  async function deliver(message: Outgoing, sentBy: Set<Device>, attempts: number): Promise<void> {
    if (stopped) return;
    const outcome = await attempt(message, sentBy);
    if (outcome === 'open') {
      later(fullJitter(Math.min(attempts, 8), pauses), () => void deliver(message, sentBy, attempts + 1));
      return;
    }
    open -= 1;
    if (outcome === 'refused') return;
    const { conversation, seq, at } = outcome.accepted;
    // The server pushes a message to all devices but the one that sent it.
    for (const device of sentBy) device.coverage.addOwn(conversation, seq);
    accepted();
    done.push({ message, at });
    if (done.length > mostRemembered) done.shift();
  }

  const begin = (message: Outgoing): void => {
    open += 1;
    void deliver(message, new Set(), 0);
  };

  return {
    send(draft, body) {
      // Ids of another form are recognised as well, though not for as long.
      const clientId = random.chance(0.9) ? newClientId() : `plain-${++plain}`;
      const message: Outgoing = {
        clientId,
        ...draft,
        kind: 'text',
        body,
        ...(random.chance(0.05) ? { class: 'important' as const } : {}),
        ...(level === 'accepted' ? {} : { level }),
      };
      begin(message);
      // As an impatient client does: the same once more, at once, perhaps by another gateway.
      if (random.chance(0.05)) begin(message);
    },
    repeatSince(lostSince) {
      const again = done.filter(({ at }) => at >= lostSince);
      done = done.filter(({ at }) => at < lostSince);
      for (const { message } of again) begin(message);
    },
    get open() {
      return open;
    },
    stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
