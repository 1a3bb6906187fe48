import type { Redis } from 'ioredis';
import { type Logger, reason } from '../log.ts';
import type { Keys } from './keys.ts';

/**
 * Both ends of the way from fanout (and other gateways) to one gateway: a channel for each gateway. A publish may be lost;
 * the gateway notices by the heads that its lease renewal answers, and reads the inbox.
 *
 * A payload is lines. `D` deliver: pairs of lines, header and message text; the text is passed on as it is.
 *   header: <sender> <device|-> <user>:<position>,<user>:<position>…
 * `H` heads: <user>:<head>,… for what a repeated batch skipped. `C` close: <user> <session|*> <code> <reason>
 * `A` again: <user> <device> <stored position>, the attempt of a delivery job
 */
export type PushHandler = {
  /** One message for users of this gateway, at these positions of their inboxes. */
  deliver(text: string, sender: string, device: string, recipients: { user: string; position: number }[]): void;
  /** The head of a user's inbox is at least this. */
  head(user: string, head: number): void;
  /** Close a session (`*`: all of the user's) with a code. */
  close(user: string, session: string, code: number, reason: string): void;
  /** Push again what this device has not received; its position in Redis is `stored`. */
  again(user: string, device: string, stored: number): void;
  /** All lines of one payload have been handled: the moment to write to sockets. */
  flush(): void;
  /** The channel was subscribed again: what was published meanwhile is lost. */
  resubscribed(): void;
};

/** Redis cuts off a subscriber with too much waiting for it, so one payload ends soon after this many characters. */
const payloadLength = 1_000_000;

export type Publish = { channel: string; payload: string };

/** Collects what one batch has for each gateway; `take` gives one payload for each gateway and kind, or few when they are long. */
export function createPushes(keys: Keys) {
  const full: Publish[] = [];
  const deliveries = new Map<string, { lines: string[]; length: number }>();
  const heads = new Map<string, string[]>();

  return {
    deliver(gateway: string, sender: string, device: string, recipients: string, text: string): void {
      let found = deliveries.get(gateway);
      if (found === undefined) deliveries.set(gateway, (found = { lines: ['D'], length: 0 }));
      found.lines.push(`${sender} ${device} ${recipients}`, text);
      found.length += text.length;
      if (found.length < payloadLength) return;
      full.push({ channel: keys.push(gateway), payload: found.lines.join('\n') });
      deliveries.delete(gateway);
    },
    head(gateway: string, user: string, head: number): void {
      const found = heads.get(gateway);
      if (found === undefined) heads.set(gateway, [`${user}:${head}`]);
      else found.push(`${user}:${head}`);
    },
    take(): Publish[] {
      const all = full;
      for (const [gateway, { lines }] of deliveries) all.push({ channel: keys.push(gateway), payload: lines.join('\n') });
      for (const [gateway, list] of heads) all.push({ channel: keys.push(gateway), payload: `H\n${list.join(',')}` });
      return all;
    },
  };
}

export const closePayload = (user: string, session: string, code: number, why: string): string => `C\n${user} ${session} ${code} ${why}`;

export const againPayload = (user: string, device: string, stored: number): string => `A\n${user} ${device} ${stored}`;

function split(pairs: string): { user: string; position: number }[] {
  return pairs.split(',').map((pair) => {
    const colon = pair.indexOf(':');
    return { user: pair.slice(0, colon), position: Number(pair.slice(colon + 1)) };
  });
}

function handle(payload: string, handler: PushHandler): void {
  const lines = payload.split('\n');
  switch (lines[0]) {
    case 'D':
      for (let i = 1; i + 1 < lines.length; i += 2) {
        const [sender, device, recipients] = lines[i]!.split(' ') as [string, string, string];
        handler.deliver(lines[i + 1]!, sender, device, split(recipients));
      }
      break;
    case 'H':
      for (const { user, position } of split(lines[1]!)) handler.head(user, position);
      break;
    case 'C': {
      const [user, session, code, ...why] = lines[1]!.split(' ') as [string, string, string, ...string[]];
      handler.close(user, session, Number(code), why.join(' '));
      break;
    }
    case 'A': {
      const [user, device, stored] = lines[1]!.split(' ') as [string, string, string];
      handler.again(user, device, Number(stored));
      break;
    }
    default:
      throw new Error(`unknown push payload ${lines[0]}`);
  }
  handler.flush();
}

/** Receives what is pushed to one gateway, from now on and after every reconnect. */
export async function receivePushes(subscriber: Redis, keys: Keys, gateway: string, handler: PushHandler, log: Logger): Promise<void> {
  subscriber.on('message', (_channel: string, payload: string) => {
    try {
      handle(payload, handler);
    } catch (thrown) {
      log.error({ event: 'push_unreadable', reason: reason(thrown) });
    }
  });
  let first = subscriber.status !== 'ready';
  subscriber.on('ready', () => {
    if (first) first = false;
    else handler.resubscribed();
  });
  await subscriber.subscribe(keys.push(gateway));
}
