import { idPattern } from '../shared/model/model.ts';
import { readRoutes } from '../shared/redis/inboxes/device-routes.ts';
import { readOverlay } from '../shared/redis/inboxes/overlays.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- inbox USER

Shows a user's inbox: its head, how many entries it holds of each conversation, its gaps, which of its messages
were amended, and where its devices stand.`;

/** Without the new body: an inbox's texts are not shown here. */
function overlayLine(overlay: ReturnType<typeof readOverlay>): string {
  const { conversation, seq, action, amendSeq, position } = overlay;
  const what = action === 'withheld' ? action : `${action}, version ${overlay.version} by ${overlay.by}`;
  const where = position === 0 ? 'no entry' : `position ${position}`;
  return `amended       ${conversation}  seq ${seq}  ${what}  seq ${amendSeq}, ${where}\n`;
}

export const inbox: Command = {
  summary: "a user's inbox, its gaps and devices",
  usage,
  async run([user = ''], context) {
    const { stdout } = context;
    if (!idPattern.test(user)) throw new UsageError(usage);
    const access = await openOperatorAccess(context);
    const { redis, keys } = access;
    try {
      const [state, gaps, overlays, devices, entries] = await Promise.all([
        redis.hgetall(keys.user(user)),
        redis.hgetall(keys.gaps(user)),
        redis.hgetall(keys.overlays(user)),
        redis.hgetall(keys.devices(user)),
        redis.xlen(keys.inbox(user)),
      ]);
      if (state['head'] === undefined) {
        stdout.write(
          `${user} has no inbox: nobody has written to it and it has never connected, ` +
            'or its state is not loaded since a loss.\n',
        );
        return 1;
      }
      stdout.write(
        `${user}  head ${state['head']}  ${entries} entries  shard ${keys.shardOf(user)}  epoch ${state['epoch']}\n`,
      );
      const online = readRoutes(state['routes'] ?? '');
      for (const [device, value] of Object.entries(devices)) {
        const [position, seen] = value.split(' ');
        const route = online.find((one) => one.device === device);
        const where =
          route === undefined ? `seen ${new Date(Number(seen)).toISOString()}` : `online at ${route.gateway}`;
        stdout.write(`device        ${device}  position ${position}  ${where}\n`);
      }
      const larges = (state['larges'] ?? '').split(' ');
      for (const [field, value] of Object.entries(state)) {
        if (!field.startsWith('c:')) continue;
        const [last, read, joined, , , status, held = '?'] = value.split(' ');
        const conversation = field.slice(2);
        const membership = status === 'm' ? '' : '  left';
        const large = larges.includes(conversation) ? '  large: announced up to there' : '';
        stdout.write(
          `conversation  ${conversation}  last seq ${last}  read ${read}  joined after ${joined}  holds ${held}` +
            `${membership}${large}\n`,
        );
      }
      for (const [conversation, records] of Object.entries(gaps)) {
        for (const record of records.split(';')) {
          const [from, to, first, last] = record.split(':');
          stdout.write(`gap           ${conversation}  seqs ${from}-${to}  at positions ${first}-${last}\n`);
        }
      }
      for (const [field, value] of Object.entries(overlays)) stdout.write(overlayLine(readOverlay(field, value)));
      return 0;
    } finally {
      await access.close();
    }
  },
};
