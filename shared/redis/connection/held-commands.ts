import type { Redis } from 'ioredis';
import { runOf } from './run.ts';

/** The command was not sent, because the deployment is not open for this run of Redis. */
export class HeldCommand extends Error {
  override readonly name = 'HeldCommand';
}

/** Commands that set up a connection. They neither read nor write our keys. */
const passing = new Set(['auth', 'client', 'hello', 'info', 'ping', 'quit', 'script', 'select']);

/** The run of Redis for which commands may pass now; '' = none. */
export type OpenRun = { run: string };

/**
 * Holds back the commands of a connection while it leads to another run of Redis than the one that is open. Each is
 * rejected at once, as it is while Redis is away. A new connection may lead to a Redis that came back wiped or older.
 * The first write into it, such as a message, a position or a read mark, would give a number again, or hide that
 * something is missing. So this is decided here for all writers and readers, not by each of them.
 *
 * Answers the same connection without the hold, for the opening. Use it for commands only: it emits no events.
 */
export function holdCommands(redis: Redis, open: Readonly<OpenRun>): Redis {
  const send = redis.sendCommand.bind(redis);
  const held: typeof redis.sendCommand = (command, stream) => {
    // A pipeline passes as a whole or not at all: the library writes it once it has seen all of its commands, and takes
    // the next replies for them. If one were missing, every later reply would go to the wrong command.
    const isPiped = stream !== undefined;
    const isOpen = open.run !== '' && open.run === runOf(redis);
    if (isOpen || (!isPiped && passing.has(command.name))) return send(command, stream);
    command.reject(new HeldCommand('the deployment is not open for this run of Redis'));
    return command.promise;
  };
  redis.sendCommand = held;
  return Object.create(redis, { sendCommand: { value: send } }) as Redis;
}
