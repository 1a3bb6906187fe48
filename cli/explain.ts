import { idPattern } from '../shared/model.ts';
import type { Command } from './command.ts';
import { openDesk } from './operator.ts';
import { Complaint } from './surroundings.ts';

const usage = `usage: npm run cli -- explain CONVERSATION

Says which way a conversation's messages take, why, and what one of them costs.`;

export const explain: Command = {
  summary: 'which way a conversation\'s messages take, and what one costs',
  usage,
  async run([id = ''], { env, stdout, signal }) {
    if (!idPattern.test(id)) throw new Complaint(usage);
    const desk = await openDesk(env, signal);
    const { redis, keys } = desk;
    try {
      const partition = keys.partitionOf(id);
      const found = await redis.hgetall(keys.conversation(partition, id));
      if (found['seq'] === undefined) {
        stdout.write(`${id} is not in Redis: nobody has written to it, or it has not been loaded since a loss.\n`);
        return 1;
      }
      if (found['epoch']?.startsWith('unloaded:')) {
        stdout.write(`${id} is unloaded: history has all of it, last seq ${found['seq']}, and its next use brings it back.\n`);
        return 0;
      }
      const members = found['users'] === undefined ? Number(found['count'] ?? 0) : new Set(found['users'].split(',')).size;
      stdout.write(
        `${id}  ${found['kind']}  ${members} members  last seq ${found['seq']}  partition ${partition}\n` +
        `way   an inbox entry for each member: every conversation takes it, the way without inbox entries is not served yet\n` +
        `cost  1 entry in the message stream, ${members} inbox entries, 1 push for each gateway that holds members, 1 message in history\n`,
      );
      return 0;
    } finally {
      await desk.close();
    }
  },
};
