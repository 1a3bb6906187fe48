import type { RunOutcome } from '../../shared/redis/inboxes/inbox-appends.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { createPushes, type Publish } from '../../shared/redis/push-bus.ts';
import type { Batch } from './batch.ts';

/**
 * The payloads that a batch's outcomes call for. `pushed`: the appending script has already pushed the new messages.
 * Head hints remain for what an earlier attempt appended, since its push may be lost.
 */
export function pushesOf(
  keys: Keys,
  { runs, texts, large }: Pick<Batch, 'runs' | 'texts' | 'large'>,
  outcomes: RunOutcome[],
  pushed: boolean,
): Publish[] {
  const pushes = createPushes(keys);
  // First: a member who leaves sees these messages, and the leave comes by that member's inbox.
  for (const { entry, text } of large) pushes.large(entry, text);
  // For each gateway the recipients of each text, as the push header has them. Those of an amendment who do not see the
  // amended message are listed apart.
  const byGateway = new Map<string, { whole: (string | undefined)[]; bare: (string | undefined)[] }>();
  outcomes.forEach(({ headBefore, gateways, outcomes: list }, index) => {
    const { user, appends } = runs[index]!;
    for (const gateway of gateways) {
      let lists = byGateway.get(gateway);
      if (lists === undefined) byGateway.set(gateway, (lists = { whole: [], bare: [] }));
      let repeated = false;
      for (let i = 0; i < list.length; i++) {
        const outcome = list[i]!;
        const { text, mark, role, sees } = appends[i]!;
        if (mark !== '') pushes.larges(gateway, user);
        if (typeof outcome !== 'number') repeated ||= outcome === 'skipped' && text !== -1 && role !== 'over';
        else if (!pushed) {
          const recipients = sees === false ? lists.bare : lists.whole;
          const before = recipients[text];
          recipients[text] = before === undefined ? `${user}:${outcome}` : `${before},${user}:${outcome}`;
        }
      }
      if (repeated) pushes.head(gateway, user, headBefore);
    }
  });
  for (const [gateway, { whole, bare }] of byGateway) {
    texts.forEach((text, i) => {
      if (whole[i] === undefined && bare[i] === undefined) return;
      if (text.amends === undefined) pushes.deliver(gateway, text.sender, text.device, whole[i]!, text.text);
      else pushes.amend(gateway, { ...text, amends: text.amends }, whole[i], bare[i]);
    });
  }
  return pushes.take();
}

/** Head hints for the gaps that a poison entry has left in the inboxes. */
export function pushesOfGaps(keys: Keys, { runs }: Pick<Batch, 'runs'>, outcomes: RunOutcome[]): Publish[] {
  const pushes = createPushes(keys);
  outcomes.forEach(({ gateways, outcomes: [position] }, index) => {
    // A user who got the message before it became poison has no gap, and a hint above the head would be wrong.
    if (typeof position !== 'number') return;
    for (const gateway of gateways) pushes.head(gateway, runs[index]!.user, position);
  });
  return pushes.take();
}
