import { createClientIds } from '../../../../sdk/src/outbox/client-ids.ts';
import type { Random } from '../../irc/random.ts';
import type { Level } from '../recording.ts';
import type { Outbox } from './outbox.ts';

/**
 * The messages of one user. Each goes out by a device, by HTTP, or by a service in the user's name, with one clientId
 * at every attempt.
 */
export type Draft = { to: string } | { conversation: string };

/** A message of this user that was accepted. */
export type Sent = { conversation: string; seq: number };

export type SenderParts = {
  user: string;
  outbox: Pick<Outbox, 'add'>;
  random: Random;
  level: Level;
  accepted(sent: Sent): void;
};

type Outgoing = { clientId: string; kind: string; body: unknown; class?: 'important'; level?: Level } & Draft;
type Accepted = { conversation: string; seq: number; at: number };

export function createSender({ user, outbox, random, level, accepted }: SenderParts) {
  const newClientId = createClientIds(Date.now);
  let plain = 0;

  const begin = (message: Outgoing): void =>
    outbox.add({
      frame: { type: 'send', ...message },
      request: (asService) =>
        // A service has to name the conversation: it has no direct ones of its own.
        asService && 'conversation' in message
          ? { user: null, path: '/messages', body: { ...message, sender: user } }
          : { user, path: '/messages', body: message },
      done: ({ message: found }) => (typeof found === 'object' ? (found as Accepted) : null),
      answered(answer, sentBy) {
        const { conversation, seq } = answer['message'] as Accepted;
        // The server pushes a message to all devices but the one that sent it.
        for (const device of sentBy) device.coverage.addOwn(conversation, seq);
        accepted({ conversation, seq });
      },
    });

  return {
    send(draft: Draft, body: unknown): void {
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
  };
}

export type Sender = ReturnType<typeof createSender>;
