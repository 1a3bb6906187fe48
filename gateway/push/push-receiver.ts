import { Refusal } from '../../shared/model/errors.ts';
import { readHead } from '../../shared/model/message-text.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { PushHandler } from '../../shared/redis/push-bus.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import type { Connection } from '../socket/connection.ts';
import type { Registry } from '../socket/registry.ts';
import { flushTouched } from './flush-touched.ts';
import type { HintHere } from './hints.ts';
import type { LargeGroupPush } from './large-groups.ts';

/** A user's read seq was moved by sending, from this device. */
export type ReadBySending = (user: string, conversation: string, seq: number, device: string) => void;

/**
 * Hands pushes for this gateway to the sessions of their users. What one session throws ends its connection; the others
 * get theirs.
 */
export function createPushReceiver(
  registry: Registry,
  large: Pick<LargeGroupPush, 'pass' | 'flush' | 'reviewSoon' | 'membersAt'>,
  hintHere: HintHere,
  readBySending: ReadBySending,
  presence: PushHandler['presence'],
  metrics: Pick<Metrics, 'deliverSeconds'>,
  answers: Pick<PushHandler, 'stored' | 'found'>,
  renewNow: () => void,
  notPushed: (thrown: unknown) => void,
): PushHandler {
  let deliveries = 0;
  const measure = (text: string): void => {
    if ((deliveries++ & 15) === 0) metrics.deliverSeconds.observe(Math.max(0, wallMs() - readHead(text).at) / 1000);
  };
  const touched = new Set<Connection>();
  /** Told after the messages themselves. */
  const reads: Parameters<ReadBySending>[] = [];
  const hasOthers = (user: string, device: string): boolean =>
    registry.of(user).some(({ session }) => session!.device !== device);
  return {
    deliver(text, sender, device, recipients) {
      measure(text);
      for (const { user, position } of recipients) {
        for (const connection of registry.of(user)) {
          try {
            connection.session!.deliver(position, text, user === sender && connection.session!.device === device);
            touched.add(connection);
          } catch (thrown) {
            connection.faulted(thrown, 'push');
          }
        }
        if (user === sender && hasOthers(user, device)) {
          const { conversation, seq } = readHead(text);
          reads.push([user, conversation, seq, device]);
        }
      }
    },
    large(message) {
      measure(message.text);
      large.pass(message);
      const { sender, device, conversation, seq } = message;
      if (hasOthers(sender, device)) reads.push([sender, conversation, seq, device]);
    },
    larges(users) {
      for (const user of users) large.reviewSoon(user);
    },
    head(user, head) {
      for (const connection of registry.of(user)) {
        try {
          connection.session!.heard(head);
        } catch (thrown) {
          connection.faulted(thrown, 'push');
        }
      }
    },
    hint: (text, users, not) => hintHere({ users, not, text }),
    hintLarge: (text, conversation, version) =>
      hintHere({ users: large.membersAt(conversation, version), not: null, text }),
    presence,
    ...answers,
    close(user, sessionId, code, why) {
      for (const connection of [...registry.of(user)]) {
        if (sessionId === '*' || connection.session!.id === sessionId) connection.close(code, why);
      }
    },
    again(user, device, stored) {
      for (const connection of registry.of(user)) {
        if (connection.session!.device !== device) continue;
        connection.session!.pushAgain(stored).catch((thrown: unknown) => {
          if (thrown instanceof Refusal) notPushed(thrown);
          else connection.faulted(thrown, 'push');
        });
      }
    },
    flush() {
      flushTouched(touched);
      large.flush();
      for (const read of reads.splice(0)) readBySending(...read);
    },
    resubscribed: renewNow,
  };
}
