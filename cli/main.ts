import { createProgress } from '../tools/progress/progress.mjs';
import { amend } from './amend.ts';
import { chat } from './chat.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { deadLetters } from './dead-letters.ts';
import { declareLoss } from './declare-loss.ts';
import { explain } from './explain.ts';
import { forecast } from './forecast.ts';
import { gate } from './gate.ts';
import { inbox } from './inbox.ts';
import { partitions } from './partitions.ts';
import { rehearseAbuse } from './rehearse-abuse.ts';
import { rehearseIrc } from './rehearse-irc.ts';
import { reindex } from './reindex.ts';
import { replay } from './replay.ts';
import { search } from './search.ts';
import { surge } from './surge.ts';
import { trace } from './trace.ts';
import { verify } from './verify.ts';

const commands: Record<string, Command> = {
  chat,
  'rehearse-irc': rehearseIrc,
  'rehearse-abuse': rehearseAbuse,
  'dead-letters': deadLetters,
  replay,
  amend,
  trace,
  inbox,
  explain,
  verify,
  forecast,
  partitions,
  surge,
  search,
  reindex,
  gate,
  'declare-loss': declareLoss,
};

function help(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const list = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'usage: npm run cli -- COMMAND [options]',
    '',
    ...list,
    '',
    '`npm run cli -- COMMAND --help` shows the options of a command.',
    '',
  ].join('\n');
}

async function main(name: string | undefined, args: string[]): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    (name === undefined ? process.stderr : process.stdout).write(help());
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    process.stderr.write(`There is no command "${name}".\n\n${help()}`);
    return 2;
  }
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${command.usage}\n`);
    return 0;
  }
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  const { env, stdin, stdout, stderr } = process;
  const { doing, end } = createProgress(stderr, { beside: stdout, env });
  try {
    return await command.run(args, { env, stdin, stdout, stderr, doing, signal: stop.signal });
  } catch (error) {
    if (stop.signal.aborted) return 130;
    const isUsage = (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true;
    const known = error instanceof UsageError || isUsage;
    stderr.write(`${known ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
    if (isUsage) stderr.write(`\n${command.usage}\n`);
    return isUsage ? 2 : 1;
  } finally {
    end();
  }
}

process.exitCode = await main(process.argv[2], process.argv.slice(3));
