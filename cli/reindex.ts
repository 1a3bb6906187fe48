import { parseArgs } from 'node:util';
import { idPattern } from '../shared/model/model.ts';
import { createSearchNotices } from '../shared/redis/search-notices.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- reindex [--conversation ID]

Has the search index made again from history. The old one answers until the new one is complete.

  --conversation ID  only this conversation, whose messages are not found meanwhile`;

export const reindex: Command = {
  summary: 'makes the search index again',
  usage,
  async run(args, context) {
    const { values, positionals } = parseArgs({ args, options: { conversation: { type: 'string' } } });
    const { conversation } = values;
    if (positionals.length > 0) throw new UsageError(usage);
    if (conversation !== undefined && !idPattern.test(conversation)) throw new UsageError('--conversation: an id');
    const access = await openOperatorAccess(context);
    try {
      const { tell } = createSearchNotices(access.redis, access.keys, () => undefined);
      await tell(conversation === undefined ? { type: 'rebuild' } : { type: 'again', conversation });
      context.stdout.write('requested: the search processes begin at once; `search_rebuilt` in their log is the end\n');
      return 0;
    } finally {
      await access.close();
    }
  },
};
