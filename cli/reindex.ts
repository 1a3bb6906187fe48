import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { idPattern } from '../shared/model/model.ts';
import { createSearchNotices } from '../shared/redis/search-notices.ts';
import type { SearchState } from '../shared/search/call.ts';
import type { Command, Context } from './command.ts';
import { UsageError } from './context.ts';
import { openOperatorAccess, type OperatorAccess } from './operator-access.ts';
import { openSearchStates } from './search-states.ts';

const usage = `usage: npm run cli -- reindex [--no-wait]
       npm run cli -- reindex --conversation ID

Has the search index made again from history. The old one answers until the new one is complete, which this command
waits for. Ctrl-C ends only the waiting.

  --no-wait          ends when the search processes are told
  --conversation ID  only this conversation, whose messages are not found meanwhile`;

const askEveryMs = 1000;

const sum = (numbers: number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Resolves the states of the new indexes when each process that is in `before` has one. */
async function untilRebuilt(
  ask: () => Promise<SearchState[]>,
  before: readonly SearchState[],
  { doing, signal }: Pick<Context, 'doing' | 'signal'>,
): Promise<SearchState[]> {
  const old = new Map(before.map(({ process, generation }) => [process, generation]));
  let now = before;
  const isNew = ({ process, generation }: SearchState): boolean => generation > old.get(process)!;
  doing(() => {
    const total = sum(now.map(({ conversations }) => conversations));
    const done = sum(now.map((state) => (isNew(state) ? state.conversations : state.rebuilt)));
    return { done, total, text: `${done} of ${total} conversations indexed again` };
  });
  for (;;) {
    await pause(askEveryMs, undefined, { signal });
    const states = (await ask()).filter(({ process }) => old.has(process));
    if (states.length === 0) throw new UsageError('no search process answers any more: the next one goes on with it');
    now = states;
    if (states.every(isNew)) return states;
  }
}

async function rebuild(access: OperatorAccess, tell: () => Promise<void>, context: Context): Promise<number> {
  const states = await openSearchStates(access);
  try {
    const before = await states.ask();
    if (before.length === 0) throw new UsageError('no search process answers: start one, and call this command again');
    await tell();
    const [{ docs, conversations }] = (await untilRebuilt(states.ask, before, context)) as [SearchState];
    context.stdout.write(`made again: ${docs} messages of ${conversations} conversations\n`);
    return 0;
  } finally {
    states.close();
  }
}

export const reindex: Command = {
  summary: 'makes the search index again',
  usage,
  async run(args, context) {
    const { values, positionals } = parseArgs({
      args,
      options: { conversation: { type: 'string' }, 'no-wait': { type: 'boolean', default: false } },
    });
    const { conversation } = values;
    if (positionals.length > 0) throw new UsageError(usage);
    if (conversation !== undefined && !idPattern.test(conversation)) throw new UsageError('--conversation: an id');
    const access = await openOperatorAccess(context);
    try {
      const { tell } = createSearchNotices(access.redis, access.keys, () => undefined);
      if (conversation === undefined && !values['no-wait'])
        return await rebuild(access, () => tell({ type: 'rebuild' }), context);
      await tell(conversation === undefined ? { type: 'rebuild' } : { type: 'again', conversation });
      context.stdout.write('requested: the search processes begin at once; `search_rebuilt` in their log is the end\n');
      return 0;
    } finally {
      await access.close();
    }
  },
};
