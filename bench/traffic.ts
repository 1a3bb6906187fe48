/**
 * The users of a run and their behaviour. Users are paired: each writes only to the other one. In the closed loop every
 * user keeps `window` messages in flight and sends the next when one arrives. In the open loop messages leave at a
 * fixed rate, whatever comes back. The echo server has the same frames; there a message returns to its sender.
 */
import { randomBytes } from 'node:crypto';
import { connectUser, openMany, type System } from './connect-user.ts';
import { frameType, messageWriter, readClientId, readDeliver, readFrame, readStamp, receivedFrame } from './frames.ts';
import { createLedger } from './ledger.ts';
import { createPace } from './pace.ts';
import type { Connection } from './socket.ts';

export type TrafficOptions = {
  port: number;
  authSecret: string;
  /** An even number. */
  users: number;
  /** Users say what they have read whenever they confirm what they have received. */
  reads?: boolean;
};

type User = {
  index: number;
  /** Undefined until all users are connected; nothing is sent before. */
  connection: Connection | undefined;
  write: (number: number, sentUs: number) => string;
  /** The highest position that arrived; `received`: the highest that the server was told. */
  position: number;
  received: number;
  lastSeq: number;
};

/** Interval at which a user sends `received`; the users take turns, so that they do not all send at once. */
const receivedEveryMs = 100;
const turnMs = 10;
/** The place of a refused message in the window is used again after the server's delay, or this one. */
const retryAfterMs = 100;

export const nowUs = (): number => Math.round(performance.now() * 1000);
/** Names users of this run only: an earlier run on the same server must leave them no inbox and no used clientId. */
const run = randomBytes(4).toString('hex');
export const userName = (index: number): string => `${run}-${String(index).padStart(5, '0')}`;

export type Traffic = Awaited<ReturnType<typeof startTraffic>>;

/** Connects all users. `onDelivered` and `onAccepted` get the microseconds since the send. */
export async function startTraffic(
  { system, port, authSecret, users: count, reads = false }: TrafficOptions & { system: System },
  onDelivered: (us: number) => void,
  onAccepted: (us: number) => void,
) {
  const ledger = createLedger();
  const errors: Record<string, number> = {};
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {}); // Awaiting code gets the rejection; until then nobody may be listening.
  let reordered = 0;
  let strayed = 0;

  const users = Array.from({ length: count }, (_, index): User => ({
    index,
    connection: undefined,
    write: messageWriter({ to: userName(index ^ 1) }),
    position: 0,
    received: 0,
    lastSeq: 0,
  }));
  /** The user whose messages a user gets. */
  const senderTo = (user: User): User => (system === 'echo' ? user : users[user.index ^ 1]!);
  const note = (what: string): void => void (errors[what] = (errors[what] ?? 0) + 1);

  const send = (user: User, messages: number): void => {
    let frames = '';
    for (let made = 0; made < messages; made += 1) {
      const sentUs = nowUs();
      const number = ledger.send(user.index, sentUs);
      frames += user.write(number, sentUs);
      // The echo server accepts by echoing: every message it got must come back.
      if (system === 'echo') ledger.accept(number);
    }
    if (messages > 0) user.connection?.write(frames);
  };
  const pace = createPace(count, (index, messages) => send(users[index]!, messages));

  /** `fresh`: the addressee has it for the first time. `own`: its sender has it. `other`: neither. */
  const deliver = (user: User, number: number, sentUs: number): 'fresh' | 'own' | 'other' => {
    const sender = ledger.sender(number);
    if (sender === senderTo(user).index) {
      if (!ledger.deliver(number)) return 'other';
      onDelivered(nowUs() - sentUs);
      return 'fresh';
    }
    if (sender === user.index) return ledger.giveBack(number) ? 'own' : 'other';
    strayed += 1;
    return 'other';
  };

  const deliverItems = (user: User, text: string): number => {
    let fresh = 0;
    for (const { number, sentUs, position, seq } of readDeliver(text)) {
      const outcome = deliver(user, number, sentUs);
      if (outcome === 'other') continue;
      if (outcome === 'fresh') fresh += 1;
      // In a conversation of two, every message has a position.
      if (seq <= user.lastSeq || position === undefined || position <= user.position) reordered += 1;
      user.lastSeq = Math.max(user.lastSeq, seq);
      user.position = Math.max(user.position, position ?? 0);
    }
    return fresh;
  };

  const accept = (text: string): void => {
    const number = readClientId(text);
    if (number === undefined) throw new Error(`accepted names no message that was sent: ${text}`);
    ledger.accept(number);
    onAccepted(nowUs() - ledger.sentUs(number));
  };

  const refuse = (user: User, text: string): void => {
    const { code, retryAfterMs: after } = JSON.parse(text) as { code: string; retryAfterMs?: number };
    note(code);
    const number = readClientId(text);
    if (number === undefined) return;
    ledger.refuse(number);
    setTimeout(() => pace.refill(user.index, 1), after ?? retryAfterMs);
  };

  /** Handles one frame; returns how many messages arrived in it for the first time. */
  const handle = (user: User, text: string): number => {
    if (system === 'echo') {
      const stamp = readStamp(text);
      if (!stamp) throw new Error(`not an echo of what was sent: ${text}`);
      return deliver(user, stamp.number, stamp.sentUs) === 'fresh' ? 1 : 0;
    }
    const type = frameType(text);
    if (type === 'deliver') return deliverItems(user, text);
    if (type === 'accepted') accept(text);
    else if (type === 'error') refuse(user, text);
    else if (type !== 'receipt' && type !== 'read') note(`frame ${type}`);
    return 0;
  };

  const connections = await openMany(0, count, (index) => {
    const user = users[index]!;
    return connectUser({
      system,
      port,
      authSecret,
      user: userName(index),
      onTexts: (texts) => {
        let fresh = 0;
        for (const text of texts) fresh += handle(user, text);
        pace.refill(senderTo(user).index, fresh);
      },
      onLost: failure.reject,
    });
  });
  for (const [index, user] of users.entries()) user.connection = connections[index];

  let turn = 0;
  const turns = receivedEveryMs / turnMs;
  const sweep = setInterval(() => {
    turn = (turn + 1) % turns;
    for (let index = turn; index < count; index += turns) {
      const user = users[index]!;
      if (user.position === user.received) continue;
      const read = reads ? readFrame({ to: userName(index ^ 1) }, user.lastSeq) : '';
      user.connection?.write(receivedFrame(user.position) + read);
      user.received = user.position;
    }
  }, turnMs);

  return {
    ledger,
    /** Rejects if a connection is lost. */
    failed: failure.promise,
    faults: () => ({ reordered, strayed, errors }),

    closedLoop: pace.closedLoop,
    openLoop: pace.openLoop,

    close: async (): Promise<void> => {
      clearInterval(sweep);
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}
