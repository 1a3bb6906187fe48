/**
 * One sender and many listeners, all in this process, so that one clock measures when all of them have a message. The
 * listeners read and check the same frames from either server, and confirm every item with a position.
 */
import { createAttendance, type Reach } from './attendance.ts';
import type { Server } from './cluster.ts';
import { connectUser, openMany, type System } from './connect-user.ts';
import { frameType, messageWriter, readClientId, readDeliver, readFrame, receivedFrame } from './frames.ts';
import type { Connection } from './socket.ts';

export type AudienceOptions = {
  system: System;
  server: Server;
  conversation: string;
  sender: string;
  listeners: string[];
  /** Listeners say what they have read whenever they confirm what they have received. */
  reads?: boolean;
};

type Member = {
  user: string;
  connection: Connection | undefined;
  /** The highest position that arrived; `received`: the highest that the server was told. */
  position: number;
  received: number;
  lastSeq: number;
};
type GapFrame = { position: number; fromSeq: number; toSeq: number };
type AcceptedFrame = { message: { seq: number } };

const bodyLength = 200;
/** Interval at which a member sends `received`; they take turns. */
const receivedEveryMs = 100;
const turnMs = 10;

const nowUs = (): number => Math.round(performance.now() * 1000);

export type Audience = Awaited<ReturnType<typeof openAudience>>;

export const openAudience = async ({
  system,
  server,
  conversation,
  sender: senderName,
  listeners: names,
  reads = false,
}: AudienceOptions) => {
  const { port, authSecret } = server;
  // The bare server does not answer sends.
  const attendance = createAttendance(names.length, system === 'restante');
  const write = messageWriter({ conversation }, bodyLength);
  const member = (user: string): Member => ({ user, connection: undefined, position: 0, received: 0, lastSeq: 0 });
  const listeners = names.map(member);
  const sender = member(senderName);
  const members = [...listeners, sender];
  const errors: Record<string, number> = {};
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {}); // Awaiting code gets the rejection; until then nobody may be listening.
  let reordered = 0;
  let receipts = 0;

  const note = (what: string): void => void (errors[what] = (errors[what] ?? 0) + 1);

  const listen = (listener: Member, index: number, text: string): void => {
    const type = frameType(text);
    if (type === 'deliver') {
      for (const { number, position, seq } of readDeliver(text)) {
        if (position !== undefined && position <= listener.position) reordered += 1;
        listener.position = Math.max(listener.position, position ?? 0);
        if (!attendance.deliver(number, index, nowUs())) continue;
        if (seq <= listener.lastSeq) reordered += 1;
        listener.lastSeq = Math.max(listener.lastSeq, seq);
      }
    } else if (type === 'gap') {
      const gap = JSON.parse(text) as GapFrame;
      listener.position = Math.max(listener.position, gap.position);
      attendance.announce(index, gap);
    } else if (type !== 'read') note(`frame ${type}`);
  };

  /** The sender may also get its own messages, in a backlog or a gap: it only confirms them. */
  const hearAnswer = (text: string): void => {
    const type = frameType(text);
    if (type === 'accepted')
      attendance.accept(readClientId(text), (JSON.parse(text) as AcceptedFrame).message.seq, nowUs());
    else if (type === 'deliver')
      for (const { position } of readDeliver(text)) sender.position = Math.max(sender.position, position ?? 0);
    else if (type === 'gap') sender.position = Math.max(sender.position, (JSON.parse(text) as GapFrame).position);
    else if (type === 'receipt') receipts += 1;
    else note(type === 'error' ? (JSON.parse(text) as { code: string }).code : `frame ${type}`);
  };

  const connections = await openMany(0, members.length, (index) => {
    const one = members[index]!;
    const hear = one === sender ? hearAnswer : (text: string) => listen(one, index, text);
    return connectUser({
      system,
      port,
      authSecret,
      user: one.user,
      onTexts: (texts) => texts.forEach(hear),
      onLost: failure.reject,
    });
  });
  for (const [index, one] of members.entries()) one.connection = connections[index];

  let turn = 0;
  const turns = receivedEveryMs / turnMs;
  const sweep = setInterval(() => {
    turn = (turn + 1) % turns;
    for (let index = turn; index < members.length; index += turns) {
      const one = members[index]!;
      if (one.position === one.received) continue;
      const isRead = reads && one !== sender && one.lastSeq > 0;
      one.connection?.write(receivedFrame(one.position) + (isRead ? readFrame({ conversation }, one.lastSeq) : ''));
      one.received = one.position;
    }
  }, turnMs);

  return {
    /** Rejects if a connection is lost. */
    failed: failure.promise,

    /**
     * Sends `count` messages at once. Resolves when every listener has all of them, or was told of the missing ones by
     * a gap. After `patienceMs` it resolves with `timedOut`.
     */
    send: async (count: number, patienceMs: number): Promise<{ reaches: Reach[]; timedOut: boolean }> => {
      const done = Promise.withResolvers<boolean>();
      const sentUs = nowUs();
      const numbers = attendance.send(count, sentUs, () => done.resolve(false));
      sender.connection?.write(numbers.map((number) => write(number, sentUs)).join(''));
      const timer = setTimeout(() => done.resolve(true), patienceMs);
      const timedOut = await Promise.race([done.promise, failure.promise]).finally(() => clearTimeout(timer));
      return { reaches: numbers.map(attendance.reach), timedOut };
    },

    /** Frames of receipts that the sender got. */
    receipts: () => receipts,

    faults: () => ({ ...attendance.faults(), reordered, errors }),

    close: async (): Promise<void> => {
      clearInterval(sweep);
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
};
