import { idPattern } from '../shared/model/model.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- explain CONVERSATION

Shows which route a conversation's messages take, why, and what one message costs.`;

/** The route through inboxes. `most` is FANOUT_MAX_MEMBERS in the environment of this command. */
function inboxRoute(members: number, most: number, isGroup: boolean): string[] {
  const why = !isGroup
    ? 'a direct conversation always does'
    : members > most
      ? `${members} members are more than ${most}, so its next message is the last one that does`
      : `${members} members are not more than ${most}`;
  return [
    `way   into an inbox of each member (${why})`,
    `cost  1 entry in the message stream, ${members} inbox entries, ` +
      '1 push for each gateway that holds members, 1 message in history',
  ];
}

/** The route of messages that are published once and written to no inbox. */
function largeRoute(members: number, most: number, since: string, gateways: number): string[] {
  const why =
    members > most
      ? `${members} members are more than ${most}`
      : `${members} members are not more than ${most} now, so its next message goes into inboxes again`;
  const receivers = `${gateways} gateway${gateways === 1 ? '' : 's'}`;
  return [
    `way   into no inbox since seq ${since} (${why}): live messages have no position, ` +
      'what a device missed is announced as one gap when it reads',
    `cost  1 entry in the message stream, 1 publish, received by ${receivers} with members online, ` +
      "the sender's read seq, 1 message in history;",
    `      a join or leave is 1 inbox entry more; into inboxes it would be ${members} entries a message`,
  ];
}

export const explain: Command = {
  summary: "which route a conversation's messages take, and what one costs",
  usage,
  async run([id = ''], context) {
    const { stdout } = context;
    if (!idPattern.test(id)) throw new UsageError(usage);
    const access = await openOperatorAccess(context);
    const { config, redis, keys } = access;
    try {
      const partition = keys.partitionOf(id);
      const found = await redis.hgetall(keys.conversation(partition, id));
      if (found['seq'] === undefined) {
        stdout.write(`${id} is not in Redis: nobody has written to it, or it has not been loaded since a loss.\n`);
        return 1;
      }
      if (found['epoch']?.startsWith('unloaded:')) {
        stdout.write(
          `${id} is unloaded: history has all of it, last seq ${found['seq']}, and its next use brings it back.\n`,
        );
        return 0;
      }
      const { users, large } = found;
      const members = users === undefined ? Number(found['count'] ?? 0) : new Set(users.split(',')).size;
      const [, gateways] = (await redis.pubsub('NUMSUB', keys.large(id))) as [string, number];
      const route =
        large === undefined
          ? inboxRoute(members, config.FANOUT_MAX_MEMBERS, users === undefined)
          : largeRoute(members, config.FANOUT_MAX_MEMBERS, large, gateways);
      const head = `${id}  ${found['kind']}  ${members} members  last seq ${found['seq']}  partition ${partition}`;
      stdout.write(`${[head, ...route].join('\n')}\n`);
      return 0;
    } finally {
      await access.close();
    }
  },
};
