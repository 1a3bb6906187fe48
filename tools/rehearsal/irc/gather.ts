import { setTimeout as pause } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Message } from '../../../shared/model/model.ts';
import type { Progress } from '../../progress/progress.mjs';
import { fillGaps, type DeviceRecorder } from '../device-recorder.ts';
import type { HistoryWalk } from './check-history.ts';
import type { Evidence } from './check.ts';
import type { Random } from './random.ts';
import type { Replay } from './replay.ts';
import { covers, membershipsOf, seqsOf, type Visible } from './spans.ts';
import { walkHistory } from './walk.ts';

/** After this time without progress, missing messages count as lost. */
const patienceMs = 45_000;
const lookMs = 200;
/** Time to see repetitions that are already on their way. */
const settleMs = 500;
const comingBackAtOnce = 40;

function missing(recorder: DeviceRecorder, visible: Visible): number {
  let count = 0;
  for (const seq of seqsOf(visible)) if (!recorder.has(seq) && !covers(recorder.record.gaps, seq)) count++;
  return count;
}

/** Brings every device back and waits until each has every message it may see, or a gap that covers it. */
async function completeAll(
  recorders: DeviceRecorder[],
  visibleOf: (user: string) => Visible,
  doing: Progress['doing'],
  signal: AbortSignal,
): Promise<void> {
  for (const [index, { device }] of recorders.entries()) {
    device.online();
    if (index % comingBackAtOnce === comingBackAtOnce - 1) await pause(100, undefined, { signal });
  }
  const limit = pLimit(20);
  let open = recorders;
  let least = Number.POSITIVE_INFINITY;
  let movedAt = Date.now();
  let total = 0;
  doing(() => ({
    done: recorders.length - open.length,
    total: recorders.length,
    text: `${recorders.length - open.length} of ${recorders.length} devices complete, ${total} messages to come`,
  }));
  while (open.length > 0 && Date.now() - movedAt < patienceMs) {
    const pulls = open.filter(({ mode, device }) => mode === 'pull' && device.state !== 'closed');
    await Promise.all([
      pause(lookMs, undefined, { signal }),
      ...pulls.map(({ device }) =>
        limit(() => Promise.race([device.sync(), pause(5000, undefined, { ref: false })]).catch(() => {})),
      ),
    ]);
    const counts = open.map((recorder) => missing(recorder, visibleOf(recorder.user)));
    open = open.filter((_, index) => counts[index]! > 0);
    total = counts.reduce((sum, count) => sum + count, 0);
    if (total < least) movedAt = Date.now();
    least = Math.min(least, total);
  }
}

/**
 * Runs after a replay: brings all devices back, fills gaps, reads histories, and collects the evidence for the check.
 */
export async function gather(
  played: Replay,
  recorders: DeviceRecorder[],
  readers: number,
  random: Random,
  doing: Progress['doing'],
  signal: AbortSignal,
): Promise<Evidence> {
  doing('reading the history');
  const { conversation, witness } = played;
  const host = await played.asUser(witness);
  const whole = await walkHistory(witness, 'oldest', (page) => host.history(conversation, page));
  const messages: Message[] = whole.pages.flatMap(({ page }) => page.messages);
  const lastSeq = messages.at(-1)?.seq ?? 0;
  const { visible } = membershipsOf(messages, [witness], lastSeq);
  const visibleOf = (user: string): Visible => visible.get(user) ?? [];

  await completeAll(recorders, visibleOf, doing, signal);
  doing('filling gaps');
  const limit = pLimit(20);
  const reachable = recorders.filter(({ device }) => device.state !== 'closed');
  await Promise.all(reachable.map((one) => limit(() => fillGaps(one, conversation, played.intern))));
  await pause(settleMs, undefined, { signal });

  const users = [...visible.keys()].filter((user) => user !== witness);
  const chosen = new Set([witness]);
  while (chosen.size <= Math.min(readers, users.length)) chosen.add(random.pick(users));
  let walked = 0;
  const total = 2 * chosen.size;
  doing(() => ({ done: walked, total, text: `${walked} of ${total} histories read` }));
  const walks = await Promise.all(
    [...chosen].flatMap((user, index) => {
      const socket = reachable.find((one) => one.user === user);
      // Half of the readers use the socket, the rest HTTP: both must agree.
      const read =
        index % 2 === 1 && socket !== undefined
          ? (page: object) => socket.device.history({ conversation, ...page })
          : async (page: object) => (await played.asUser(user)).history(conversation, page);
      return (['oldest', 'newest'] as const).map((order) =>
        limit(async (): Promise<HistoryWalk> => {
          const walk = await walkHistory(user, order, read);
          walked++;
          return walk;
        }),
      );
    }),
  );
  return {
    sent: played.sent,
    creators: [witness],
    changes: played.changes,
    members: await host.members(conversation),
    messages,
    lastSeq,
    devices: recorders.map(({ record }) => record),
    walks: [whole, ...walks],
  };
}
