import { wallMs } from '../shared/clocks.ts';
import type { Metrics } from '../shared/metrics.ts';
import { readHead } from '../shared/message-text.ts';
import type { PushHandler } from '../shared/redis/push-bus.ts';
import type { LargeIndex } from './large-groups.ts';
import type { Registry } from './registry.ts';
import type { Session } from './session.ts';

/** Hands what is pushed to this gateway to the sessions of its users. */
export function createPushReceiver(
  registry: Registry, large: Pick<LargeIndex, 'pass' | 'flush' | 'reviewSoon'>, metrics: Pick<Metrics, 'deliverSeconds'>, renewNow: () => void,
  notPushed: (thrown: unknown) => void,
): PushHandler {
  let deliveries = 0;
  const measure = (text: string): void => {
    if ((deliveries++ & 15) === 0) metrics.deliverSeconds.observe(Math.max(0, wallMs() - readHead(text).at) / 1000);
  };
  const touched = new Set<Session>();
  return {
    deliver(text, sender, device, recipients) {
      measure(text);
      for (const { user, position } of recipients) {
        for (const { session } of registry.of(user)) {
          session!.deliver(position, text, user === sender && session!.device === device);
          touched.add(session!);
        }
      }
    },
    large(message) {
      measure(message.text);
      large.pass(message);
    },
    larges(users) {
      for (const user of users) large.reviewSoon(user);
    },
    head(user, head) {
      for (const { session } of registry.of(user)) session!.heard(head);
    },
    close(user, sessionId, code, why) {
      for (const connection of [...registry.of(user)]) {
        if (sessionId === '*' || connection.session!.id === sessionId) connection.close(code, why);
      }
    },
    again(user, device, stored) {
      for (const { session } of registry.of(user)) {
        if (session!.device === device) session!.pushAgain(stored).catch(notPushed);
      }
    },
    flush() {
      for (const session of touched) session.flush();
      touched.clear();
      large.flush();
    },
    resubscribed: renewNow,
  };
}
