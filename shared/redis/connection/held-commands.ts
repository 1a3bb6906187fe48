import type { Redis } from 'ioredis';

/** Not sent, since nobody has compared this run of Redis with history yet. */
export class HeldCommand extends Error {
  override readonly name = 'HeldCommand';
}

/** What a connection needs before it is of use. It reads and writes nothing of ours. */
const passing = new Set(['auth', 'client', 'hello', 'info', 'ping', 'quit', 'script', 'select']);

/**
 * Holds back the commands of a connection: from the moment it breaks until `release`, each is rejected at once, as it
 * is while Redis is away. A new connection may lead to a Redis that came back wiped or older, and whatever writes into
 * it first, be it a message, a position or a read mark, gives a number again, or hides that something is missing. So it
 * is decided here, for all that writes, and not by each writer.
 *
 * `unheld` is the same connection for whoever compares; only for commands, it tells of no events.
 */
export function holdCommands(redis: Redis) {
  const send = redis.sendCommand.bind(redis);
  let isHeld = true;
  let connection = 0;
  const held: typeof redis.sendCommand = (command, stream) => {
    // Of a pipeline all or nothing: the library writes it once it has seen each of its commands, and takes the next
    // replies for those that it has seen. With one of them missing, every later reply on this connection would go to
    // another command.
    const isPiped = stream !== undefined;
    if (!isHeld || (!isPiped && passing.has(command.name))) return send(command, stream);
    command.reject(new HeldCommand('Redis is yet to be compared with history'));
    return command.promise;
  };
  redis.sendCommand = held;
  redis.on('close', () => {
    isHeld = true;
    connection += 1;
  });
  return {
    unheld: Object.create(redis, { sendCommand: { value: send } }) as Redis,
    /** Changes whenever the connection breaks. */
    get connection(): number {
      return connection;
    },
    get isHeld(): boolean {
      return isHeld;
    },
    /** Lets commands pass, if the connection is still this one. Answers whether it is. */
    release(compared: number): boolean {
      if (compared !== connection) return false;
      isHeld = false;
      return true;
    },
  };
}
